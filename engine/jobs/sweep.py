"""Search for better settings: many trainings, each with what the ones before it suggest."""

import time
from math import isfinite
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.job_context import Cancelled, Context
from engine.core.job_outcome import NewModel, Outcome
from engine.core.job_result import SweepResult, Trial, TrialState
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe
from engine.jobs.nested_training import (
    NestedContext,
    StudyProgress,
    StudyRecipe,
    held_out_loss,
    rows_of,
    train,
)

TITLE = "Hyperparameter search"
SUMMARY = "Several trainings search for better hyperparameters; the best model is kept."

WARM_UP = 1  # measurements before a training may be given up
Number = int | float


class Range(BaseModel):
    """Numbers from `low` to `high`; on a log scale each factor is as likely as any other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: Number
    high: Number
    log: bool = False

    @model_validator(mode="after")
    def _low_is_low(self) -> "Range":
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"there is no range from {self.low} to {self.high}")
        return self


Choices = tuple[bool | int | float | str | None, ...]


class Recipe(StudyRecipe):
    """Which settings to try; the first trial takes them as they are."""

    KIND: ClassVar[str] = "sweep"

    space: dict[str, Range | Choices] = Field(
        default_factory=lambda: dict[str, Range | Choices](
            learning_rate=Range(low=2e-5, high=2e-3, log=True)
        ),
        min_length=1,
        max_length=8,
        description="What to try: a range {low, high, log} or a list; lora.r is r inside lora",
    )
    n_trials: int = Field(8, ge=2, le=200, description="How many trainings")

    @property
    def trainings(self) -> int:
        """One a trial."""
        return self.n_trials

    def nested_trainings(self) -> list[TrainRecipe]:
        """The first trial, and one with each end of a range and each choice."""
        return [self.training(), *self._ends_of_the_space()]

    @model_validator(mode="after")
    def _ends_of_the_space_are_settings(self) -> "Recipe":
        for name, among in self.space.items():
            if not isinstance(among, Range) and not among:
                raise ValueError(f"{name} has no value to try")
        self._ends_of_the_space()
        return self

    def _ends_of_the_space(self) -> list[TrainRecipe]:
        return [
            self.training({name: value})
            for name, among in self.space.items()
            for value in ((among.low, among.high) if isinstance(among, Range) else among)
        ]


class GivenUp(Exception):
    """A trial that is worse than most were at this point."""


class Best(NamedTuple):
    trial: Trial
    model: NewModel
    ctx: NestedContext


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The adapter with the lowest held-out loss of all trials, and the table of them.

    A person who stops the search keeps the trials that are done; the study lives in memory.
    """
    search = Search(recipe, ctx, rows_of(ctx, recipe.dataset))
    stopped = False
    for _ in range(recipe.n_trials):
        try:
            search.next()
        except Cancelled:
            if search.best is None:
                raise
            stopped = True
            break
    if search.best is None:
        raise UserError(
            f"No trial ended with a loss. The last error: {search.trials[-1].error}",
            "Try other settings.",
        )
    return _outcome(recipe, ctx, search, search.best, stopped)


class Search:
    """A study and what came of its trials so far."""

    def __init__(self, recipe: Recipe, ctx: Context, rows: list[Row]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.recipe, self.ctx, self.rows = recipe, ctx, rows
        self.progress = StudyProgress(ctx, recipe.n_trials)
        self.trials: list[Trial] = []
        self.best: Best | None = None
        few = max(3, recipe.n_trials // 3)  # at random, before anything is known
        self.study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=recipe.seed, n_startup_trials=few),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=few, n_warmup_steps=WARM_UP),
        )
        self.study.enqueue_trial(_present(recipe))

    def next(self) -> None:
        """One more trial: its line in the table, and its adapter where it is the best so far."""
        asked = self.study.ask()
        settings = {name: _suggest(asked, name, a) for name, a in self.recipe.space.items()}
        number, began = len(self.trials) + 1, time.monotonic()
        inner = NestedContext(
            self.progress, f"trial-{number}", self.recipe.dataset, self.rows, _pruning(asked)
        )
        try:
            loss, outcome = self._train(settings, inner)
            made = Trial(number=number, settings=settings, state=TrialState.DONE, loss=loss)
            self.study.tell(asked, loss)
        except GivenUp as given_up:
            made = Trial(
                number=number, settings=settings, state=TrialState.GIVEN_UP, loss=given_up.args[0]
            )
            outcome = None
            self._report(asked, "PRUNED")
        except UserError as error:  # such as a loss of NaN: a reason not to choose these settings
            made = Trial(
                number=number, settings=settings, state=TrialState.FAILED, error=str(error)
            )
            outcome = None
            self._report(asked, "FAIL")
        except BaseException:
            inner.drop()
            raise
        self._add_trial(made, began, outcome, inner)

    def _train(self, settings: JsonObject, inner: NestedContext) -> tuple[float, Outcome]:
        outcome = train(self.recipe.training(settings), inner)
        loss = held_out_loss(outcome)
        if outcome.model is None or not isfinite(loss):
            raise UserError("It ended without a model.", "Lower the learning rate.")
        return loss, outcome

    def _report(self, asked: Any, state: str) -> None:
        from optuna.trial import TrialState

        self.study.tell(asked, state=TrialState[state])

    def _add_trial(
        self, made: Trial, began: float, outcome: Outcome | None, inner: NestedContext
    ) -> None:
        made = made.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
        self.trials.append(made)
        self.progress.done += 1
        self.ctx.emit("trial", made, made.number)
        self.ctx.emit("log", {"text": _line(made)})
        better = made.loss is not None and (
            self.best is None or made.loss < (self.best.trial.loss or 0.0)
        )
        if outcome is None or outcome.model is None or not better:
            inner.drop()
            return
        if self.best is not None:
            self.best.ctx.drop()
        self.best = Best(made, outcome.model, inner)


def _suggest(asked: Any, name: str, among: Range | Choices) -> Any:
    if not isinstance(among, Range):
        return asked.suggest_categorical(name, among)
    if isinstance(among.low, int) and isinstance(among.high, int):
        return asked.suggest_int(name, among.low, among.high, log=among.log)
    return asked.suggest_float(name, among.low, among.high, log=among.log)


def _present(recipe: Recipe) -> JsonObject:
    """The settings as they are, of those that the space holds."""
    values = recipe.training().model_dump()
    found: JsonObject = {}
    for name, among in recipe.space.items():
        field, _, inside = name.partition(".")
        value = values[field].get(inside) if inside else values[field]
        if isinstance(among, Range):
            fits = isinstance(value, int | float) and among.low <= value <= among.high
        else:
            fits = value in among
        found |= {name: value} if fits else {}
    return found


def _pruning(asked: Any) -> Any:
    def on_held_out(measured: int, loss: float) -> None:
        asked.report(loss, measured)
        if asked.should_prune():
            raise GivenUp(loss)

    return on_held_out


def _line(trial: Trial) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in trial.setting_words().items())
    if trial.loss is None:
        return f"Trial {trial.number} ({settings}) failed: {trial.error}"
    return f"Trial {trial.number} ({settings}), {trial.state}: held-out loss {trial.loss:.3f}"


def _outcome(recipe: Recipe, ctx: Context, search: Search, best: Best, stopped: bool) -> Outcome:
    path = (best.ctx.folder / best.model.path).relative_to(ctx.folder)
    name = f"sweep-{ctx.job_id[-4:]}"
    result = SweepResult(
        trials=tuple(search.trials),
        best=best.trial,
        best_settings=recipe.training(best.trial.settings).model_dump(mode="json"),
        stopped_early=stopped,
        sentence=_sentence(search.trials, best.trial),
    )
    model = best.model.model_copy(update={"path": str(path), "name": name, "is_trial": True})
    return Outcome(result=result, model=model)


def _sentence(trials: list[Trial], best: Trial) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in best.setting_words().items())
    done = f"Best of {len(trials)} trials: {settings}, with a held-out loss of {best.loss:.3f}."
    first = trials[0].loss
    if best.number == 1 or first is None or best.loss is None:
        return f"{done} Those are the settings it began with." if best.number == 1 else done
    return (
        f"{done} That is {first - best.loss:.3f} lower than the settings it began with; the "
        "best of many trials is partly luck: evaluate it on rows that the search did not choose by."
    )
