"""The job of the auto loop: votes, preference pairs, training, evaluation, blind round, verdict.

Each step is read from the tables (services/loop/auto_loop_next_step.py) and is the service call
that a person's click makes, so a run that was stopped goes on where it stood. Where people vote it
waits for them.
"""

import time
from collections.abc import Callable
from typing import Any

from pydantic import Field

from engine import plugins
from engine.core.actor import Actor
from engine.core.errors import UserError
from engine.core.job import Job
from engine.core.job_outcome import Outcome
from engine.core.job_result import LoopResult
from engine.core.json_object import JsonObject
from engine.core.rating import MOST_ANSWERS
from engine.core.recipe import MOST_SEED, Ref, RefKind, TrainRecipe, default_epochs
from engine.core.recipe import Recipe as BaseRecipe
from engine.orchestrate import child_jobs
from engine.orchestrate.child_jobs import POLL_EVERY_S, LoopContext
from engine.orchestrate.demo_job import simulate
from engine.services.data import datasets
from engine.services.evaluation import blind_round_gate
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.loop.auto_loop_next_step import LoopGoal, NextStep, next_step
from engine.services.loop.history import history
from engine.services.people import acting
from engine.services.preferences import build
from engine.services.rating import rounds
from engine.services.rating.plans import SAMPLES, RoundRecipe
from engine.store.json_columns import to_json

TITLE = "Auto loop"
SUMMARY = "Runs generation after generation until a stop rule applies."

STEPS = 9  # of one generation
HOUR_S = 3600


class Recipe(BaseRecipe):
    """A loop that goes on until a rule says stop, or as many generations are made."""

    KIND = "auto"
    LANE = "loop"

    model: str = Field(description="The model to start from while there is no champion")
    dataset: str = Field(description="Questions whose answers are rated")
    dataset_test: str = Field(description="Dataset whose held-out rows test each generation")
    rater: str | None = Field(
        None, description="Rule of simulated raters; without one, people vote"
    )
    raters: int = Field(1, ge=1, le=9, description="Votes per comparison of a blind round")
    prompts: int = Field(72, ge=20, le=400, description="Comparisons to rate in each generation")
    test_prompts: int = Field(60, ge=6, le=400, description="Questions of a blind round")
    generations: int = Field(2, ge=1, le=20, description="Generations at most")
    most_votes: int | None = Field(None, ge=1, description="Votes of the project at most")
    dpo: JsonObject = Field(
        default_factory=dict,
        description="Settings of the training on votes, where they are not the usual ones",
    )
    temperature: float = Field(0.7, ge=0, le=2, description="Sampling temperature of blind answers")
    max_new_tokens: int = Field(256, ge=1, le=4096, description="Longest answer, in tokens")
    wait_hours: float = Field(
        24.0, gt=0, le=336, description="How long to wait for people's votes before it ends"
    )
    spare: float = Field(
        0.0, ge=0, le=4, description="Answers written beyond those rated, to choose from"
    )
    samples: int = Field(
        SAMPLES,
        ge=2,
        le=8,
        description="Answers written to each question; those that differ most are rated",
    )
    answers: int = Field(
        2, ge=2, le=MOST_ANSWERS, description="Answers rated at a time; 3 or 4 are ranked"
    )
    seed: int = Field(1, ge=0, le=MOST_SEED, description="Same seed and votes, same loop")

    def needs(self) -> list[Ref]:
        """The start, the questions and the test rows."""
        return [
            Ref(RefKind.MODEL, self.model),
            Ref(RefKind.DATASET, self.dataset),
            Ref(RefKind.DATASET, self.dataset_test),
        ]

    def nested_trainings(self) -> list[TrainRecipe]:
        """The training on votes of each generation."""
        return [child_jobs.training_recipe("dpo", self.dpo, self.model)]


class Auto:
    """One run of the loop; what it knows beside its recipe is only how many steps it took."""

    def __init__(self, recipe: Recipe, ctx: LoopContext) -> None:
        self.recipe = recipe
        self.ctx = ctx
        self.ws = ctx.ws
        self.project_id = ctx.project_id
        self.steps: list[str] = []
        created_at = lifecycle.get(ctx.ws, self.actor, ctx.job_id).created_at
        self.goal = LoopGoal(recipe.model, created_at, recipe.generations, recipe.most_votes)
        self.until = time.monotonic() + recipe.wait_hours * HOUR_S

    @property
    def actor(self) -> Actor:
        """Whom it acts for, asked anew: what an owner takes away is away at the next step."""
        return acting.owner_of(self.ws, self.ctx.job_id)

    def find_step(self) -> NextStep:
        """The next step, said when it is a new one."""
        self.ctx.check()
        step = next_step(self.ws, self.actor, self.project_id, self.goal)
        if step.text not in self.steps[-1:]:
            self.steps.append(step.text)
            self.ctx.emit("log", {"text": step.text})
        self.report_progress(step.text)
        return step

    def report_progress(self, label: str, part: float = 0.0) -> None:
        """How far the loop is, `part` of the current step included."""
        total = STEPS * self.recipe.generations
        done = min(total, round(len(self.steps) - 1 + part, 2))
        self.ctx.emit("progress", {"done": done, "total": total, "label": label})

    def job(self, kind: str, label: str, **values: Any) -> None:
        """Run a job to its end; one that is under way with the same recipe is waited for."""
        recipe = plugins.load("jobs", kind).Recipe.model_validate(values)
        wanted = to_json(recipe.model_dump(mode="json"))
        for known in lifecycle.list_all(self.ws, self.actor, self.project_id, (kind,)):
            if not known.over and to_json(known.recipe) == wanted:
                self.wait(known, label)
                return
        self.wait(lifecycle.submit(self.ws, self.actor, self.project_id, recipe, label), label)

    def wait(self, job: Job, label: str) -> None:
        """Return when the job is done; UserError where it failed."""
        child_jobs.wait(self.ctx, self.actor, job, label, self.report_progress)


def run(recipe: Recipe, ctx: LoopContext) -> Outcome:
    """Go round until there is no next step; the result says why it ended and who is champion."""
    auto = Auto(recipe, ctx)
    step = auto.find_step()
    while step.name != "end":
        if step.name == "votes" and recipe.rater is None and time.monotonic() > auto.until:
            break
        DO[step.name](auto, step)
        step = auto.find_step()
    best = champion.current(auto.ws, auto.actor, auto.project_id)
    seen = history(auto.ws, auto.actor, auto.project_id)
    return Outcome(
        result=LoopResult(
            ended=step.text,
            waiting=step.name == "votes",
            champion=best.id if best else None,
            generations=len(seen.generations),
            sentence=seen.sentence,
            steps=tuple(auto.steps),
        )
    )


def _rate(auto: Auto, step: NextStep) -> None:
    """Two answers of the policy to each question; every further try samples more freely.

    Where most answers of the last try were cut, they may be twice as long.
    """
    recipe = RoundRecipe(
        model=step.policy,
        dataset=auto.recipe.dataset,
        prompts=auto.recipe.prompts,
        temperature=1.0 + 0.2 * step.attempt,
        max_new_tokens=auto.recipe.max_new_tokens * _longer(auto, step),
        seed=auto.recipe.seed + auto.recipe.samples * step.attempt,
        spare=auto.recipe.spare,
        samples=auto.recipe.samples,
        answers=auto.recipe.answers,
    )
    rounds.start(auto.ws, auto.actor, auto.project_id, recipe)


def _longer(auto: Auto, step: NextStep) -> int:
    tried = rounds.list_all(auto.ws, auto.actor, auto.project_id)[: step.attempt]
    cut = [rounds.left_out(auto.ws, auto.actor, one.id).get("truncated", 0) for one in tried]
    return 1 << sum(2 * each > auto.recipe.prompts for each in cut)


def _answers(auto: Auto, step: NextStep) -> None:
    rating_round = rounds.get(auto.ws, auto.actor, step.round_id)
    if rating_round.job_id:
        auto.wait(lifecycle.get(auto.ws, auto.actor, rating_round.job_id), step.text)


def _votes(auto: Auto, step: NextStep) -> None:
    """Simulated raters vote through the same door as people; people are waited for."""
    rating_round = rounds.get(auto.ws, auto.actor, step.round_id)
    if auto.recipe.rater is None:
        time.sleep(POLL_EVERY_S)
        return
    votes = sum(
        simulate(auto.ws, rating_round, auto.recipe.rater, number, auto.recipe.seed)
        for number in range(rating_round.plan.overlap)
    )
    if not votes:
        raise UserError(
            f"The simulated raters have voted on all of {rating_round.name} that they may see.",
            "Look at its flagged pairs, or close it.",
        )


def _build_pairs(auto: Auto, _: NextStep) -> None:
    build.make(auto.ws, auto.actor, auto.project_id)


def _train(auto: Auto, step: NextStep) -> None:
    number = 1 + len(history(auto.ws, auto.actor, auto.project_id).generations)
    rows = datasets.get(auto.ws, auto.actor, step.dataset_id).train_rows
    auto.job(
        "dpo",
        f"Generation {number}",
        model=step.policy,
        dataset=step.dataset_id,
        **{
            "num_train_epochs": default_epochs(rows),
            "evaluate_after": False,  # the loop has an evaluation of its own
            **auto.recipe.dpo,
        },
    )


def _evaluate(auto: Auto, step: NextStep) -> None:
    auto.job(
        "evaluate",
        step.text,
        models=(step.policy, step.model),
        dataset=auto.recipe.dataset_test,
        max_new_tokens=auto.recipe.max_new_tokens,
    )


def _test(auto: Auto, step: NextStep) -> None:
    """A blind round on held-out questions, others than those of the rounds before where it can."""
    before = rounds.list_all(auto.ws, auto.actor, auto.project_id)
    recipe = RoundRecipe(
        purpose="blind_eval",
        model=step.model,
        baseline=step.base,
        dataset=auto.recipe.dataset_test,
        prompts=auto.recipe.test_prompts,
        overlap=auto.recipe.raters,
        temperature=auto.recipe.temperature,
        max_new_tokens=auto.recipe.max_new_tokens,
        seed=auto.recipe.seed + sum(one.purpose == "blind_eval" for one in before),
    )
    # whoever starts the loop accepts losses that are not ruled out; a shown one ends it
    rounds.start(auto.ws, auto.actor, auto.project_id, recipe, accept_unproven=True)


def _close(auto: Auto, step: NextStep) -> None:
    rounds.close(auto.ws, auto.actor, step.round_id)


def _promote(auto: Auto, step: NextStep) -> None:
    reason = "Raters preferred it to the previous champion in a blind round."
    _, checks = blind_round_gate.regression_checks(auto.ws, auto.actor, auto.project_id, step.model)
    reason = f"{reason} {blind_round_gate.unproven(checks)}".strip()
    champion.promote(auto.ws, auto.actor, auto.project_id, step.model, reason)


DO: dict[str, Callable[[Auto, NextStep], None]] = {
    "rate": _rate,
    "answers": _answers,
    "votes": _votes,
    "pairs": _build_pairs,
    "train": _train,
    "evaluate": _evaluate,
    "test": _test,
    "close": _close,
    "promote": _promote,
}
