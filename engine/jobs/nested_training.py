"""A training inside another job: rows and a folder of its own, and a part of the progress."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from pydantic import Field, JsonValue, model_validator

from engine import plugins
from engine.core.dataset import Row, Split
from engine.core.errors import UserError
from engine.core.event import EventData, MetricData, ProgressData
from engine.core.job_context import Context, ModelCache, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.job_result import training_result
from engine.core.json_object import JsonObject
from engine.core.recipe import (
    MOST_SEED,
    Recipe,
    Ref,
    RefKind,
    TrainRecipe,
    current_names,
    put,
    read_exact,
)

OnHeldOut = Callable[[int, float], None]  # how often it was measured, and the loss
# what a training does besides: not wanted where many of them run one after the other
QUIET: JsonObject = {"samples": 0, "evaluate_after": False}


class StudyRecipe(Recipe):
    """What all jobs ask that train more than once."""

    model: str = Field(description="The model to start from, each time")
    dataset: str = Field(description="The dataset version to learn from; it needs held-out rows")
    method: str = Field("sft", description="How to teach")
    settings: JsonObject = Field(
        default_factory=dict, description="Settings of the method, where not its defaults"
    )
    max_steps: int = Field(40, ge=1, le=100_000, description="Steps of each training")
    seed: int = Field(1, ge=0, le=MOST_SEED, description="Same seed, same result")

    def needs(self) -> list[Ref]:
        """The model and the dataset."""
        return [Ref(RefKind.MODEL, self.model), Ref(RefKind.DATASET, self.dataset)]

    def nested_trainings(self) -> list[TrainRecipe]:
        """The training that it repeats."""
        return [self.training()]

    @classmethod
    def completed(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        """`values` whose settings are completed as those of a training by this method."""
        settings = values.get("settings")
        method = plugins.find("jobs", str(values.get("method", cls.model_fields["method"].default)))
        if method is None or not isinstance(settings, Mapping):
            return values
        return {**values, "settings": method.Recipe.completed(settings)}

    @property
    def trainings(self) -> int:
        """How many trainings it is in all."""
        raise NotImplementedError

    def steps(self, rows: int) -> tuple[int, ...]:  # noqa: ARG002 (other studies look at them)
        """The steps of each training, in their order, for so many training rows."""
        return (self.max_steps,) * self.trainings

    def training(self, changes: Mapping[str, JsonValue] | None = None) -> TrainRecipe:
        """The method's recipe with `changes`, where `lora.r` changes a field inside another.

        UserError when the method does not train, or knows no such setting or value.
        """
        known = plugins.load("jobs", self.method).Recipe
        if not issubclass(known, TrainRecipe):
            raise UserError(
                f"{self.method} is not a training method.", "Choose a method such as sft."
            )
        quiet = {name: value for name, value in QUIET.items() if name in known.model_fields}
        own: JsonObject = {
            "model": self.model,
            "dataset": self.dataset,
            "max_steps": self.max_steps,
        }
        settings = current_names(self.settings)
        values: JsonObject = {**quiet, "num_evals": 4, "seed": self.seed, **settings, **own}
        for name, value in (changes or {}).items():
            put(values, name, value, known)
        found = read_exact(known, values)
        if not isinstance(found, TrainRecipe):
            raise TypeError(self.method)
        return found

    @model_validator(mode="after")
    def _settings_belong_to_the_method(self) -> "StudyRecipe":
        self.training()
        return self


class StudyProgress:
    """The progress of a job that trains `total` times, and how long it will still take."""

    def __init__(
        self, ctx: Context, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ctx = ctx
        self.total = total
        self.done = 0
        self._clock = clock
        self._began = clock()

    def report(self, label: str, part: float = 0.0) -> None:
        """Report how far the study is, `part` of the present training included."""
        done = self.done + part
        progress: ProgressData = {"done": round(done, 3), "total": self.total, "label": label}
        if done > 0:
            gone = self._clock() - self._began
            progress["eta_s"] = round(gone / done * (self.total - done), 1)
        self.ctx.emit("progress", progress)


class NestedContext:
    """The Context of one training inside a job; it asks the outer one for all that it lacks."""

    def __init__(
        self,
        progress: StudyProgress,
        name: str,
        dataset_id: str,
        rows: Sequence[Row],
        on_held_out: OnHeldOut | None = None,
    ) -> None:
        self._outer, self._progress, self._name = progress.ctx, progress, name
        self._dataset_id, self._rows = dataset_id, rows
        self._on_held_out = on_held_out
        self._measured = 0
        self.job_id, self.project_id = self._outer.job_id, self._outer.project_id
        self.cache: Path = self._outer.cache
        self.model_cache: ModelCache = self._outer.model_cache
        self.folder: Path = self._outer.folder / "trainings" / name
        shutil.rmtree(self.folder, ignore_errors=True)  # of an attempt that died
        self.folder.mkdir(parents=True)

    def emit(self, kind: str, data: EventData, step: int | None = None) -> None:
        """Pass on the progress as part of the study's, and the held-out loss to its receiver."""
        if kind == "progress":
            far = cast("ProgressData", data)
            label = f"{self._name.replace('-', ' ').capitalize()}: {far.get('label', '')}"
            self._progress.report(label, far["done"] / max(1, far["total"]))
        elif kind == "metric" and step:
            self._measure(cast("MetricData", data))

    def _measure(self, metrics: MetricData) -> None:
        if "eval_loss" not in metrics:
            return
        self._measured += 1
        if self._on_held_out:
            self._on_held_out(self._measured, float(metrics["eval_loss"]))

    def cancelled(self) -> bool:
        """Whether the person asked the study to stop."""
        return self._outer.cancelled()

    def keeping(self) -> bool:
        """Never: half a training says nothing beside whole ones."""
        return False

    def check(self) -> None:
        """Raise Cancelled when the person asked the study to stop."""
        self._outer.check()

    def rows(self, dataset_id: str, split: Split | None = None) -> list[Row]:
        """The rows that this training may see of its dataset; all rows of other datasets."""
        if dataset_id != self._dataset_id:
            return self._outer.rows(dataset_id, split)
        return [row for row in self._rows if split in (None, row.split)]

    def model(self, model_id: str) -> ModelFiles:
        """Where a model's files lie."""
        return self._outer.model(model_id)

    def drop(self) -> None:
        """Delete what the training wrote."""
        shutil.rmtree(self.folder, ignore_errors=True)


def train(recipe: TrainRecipe, ctx: NestedContext) -> Outcome:
    """What the recipe's method makes of it."""
    outcome: Outcome = plugins.load("jobs", recipe.KIND).run(recipe, ctx)
    return outcome


def held_out_loss(outcome: Outcome) -> float:
    """The lowest held-out loss of a training; UserError where nothing was held out."""
    loss = training_result(outcome.result).best_held_out_loss
    if loss is None:
        raise UserError(
            "No held-out loss was measured, so nothing can be compared.",
            "Choose a dataset with held-out rows.",
        )
    return float(loss)


def rows_of(ctx: Context, dataset_id: str) -> list[Row]:
    """All rows, read once for all trainings; UserError unless both splits have some."""
    rows = ctx.rows(dataset_id)
    if {row.split for row in rows} != {"train", "held_out"}:
        raise UserError(
            "This dataset has no held-out rows, so nothing can be compared.",
            "Add the data again with a held-out share.",
        )
    return rows
