"""A warm-up: the first steps of a real training on its real rows, to see how fast they go here."""

import shutil
from collections.abc import Sequence
from statistics import median
from typing import Any, cast

from pydantic import Field

from engine import plugins
from engine.core.dataset import Row, Split
from engine.core.errors import UserError
from engine.core.event import EventData, MetricData
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.job_result import TrainingResult, WarmupResult, training_result
from engine.core.json_object import JsonObject, number_in
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind, TrainRecipe, current_names, read_exact

TITLE = "Speed measurement"
SUMMARY = "A few steps of a training show how fast it runs on this machine."


class Recipe(BaseRecipe):
    """Which training is tried; nothing of it is kept but the numbers."""

    KIND = "warmup"

    method: str = Field(description="The training method that is tried")
    recipe: JsonObject = Field(description="Its settings")
    steps: int = Field(4, ge=2, le=50, description="Steps that are measured")

    def needs(self) -> list[Ref]:
        """The model and the dataset of the training."""
        return [
            Ref(kind, str(self.recipe.get(kind, ""))) for kind in (RefKind.MODEL, RefKind.DATASET)
        ]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Speed, peak memory and the cost of a held-out measurement, of a few steps on real rows."""
    training = shortened(recipe)
    quiet = _Quiet(ctx, training)
    try:
        result = training_result(plugins.load("jobs", recipe.method).run(training, quiet).result)
    finally:
        shutil.rmtree(quiet.folder, ignore_errors=True)
    return Outcome(result=_measured(recipe.method, result, quiet))


def shortened(recipe: Recipe) -> TrainRecipe:
    """The training that is measured: its first steps, with nothing beside them."""
    method = plugins.load("jobs", recipe.method)
    values = {**current_names(recipe.recipe), **_short(method.Recipe, recipe.steps)}
    training = read_exact(method.Recipe, values)
    if not isinstance(training, TrainRecipe):
        raise UserError(f"{recipe.method} is no training.", "Choose a training method.")
    return training


def _short(recipe: type[BaseRecipe], steps: int) -> JsonObject:
    """What makes a training a warm-up: few steps, one held-out measurement, nothing beside it."""
    wanted: JsonObject = {
        "max_steps": steps,
        "num_evals": 1,
        "samples": 0,
        "early_stopping_patience": None,
        "trackers": [],
    }
    return {name: value for name, value in wanted.items() if name in recipe.model_fields}


def _measured(method: str, result: TrainingResult, quiet: "_Quiet") -> WarmupResult:
    """The speed without the first step, which also warms up the libraries."""
    rates = quiet.rates[1:] or quiet.rates or [result.tokens_per_s]
    rate = median(rates)
    busy = result.tokens / max(result.tokens_per_s, 1e-9)
    # the two measurements: before the first step and after the last
    measuring = max(0.0, result.seconds - busy) / 2
    share = quiet.held_out_rows / max(1, quiet.held_out_measured)
    return WarmupResult(
        method=method,
        tokens_per_s=round(rate, 2),
        seconds_per_step=round(result.tokens / result.steps / max(rate, 1e-9), 3),
        steps=result.steps,
        tokens=result.tokens,
        seconds=result.seconds,
        peak_memory_mb=result.peak_memory_mb,
        held_out_seconds=round(measuring * share, 2) if quiet.held_out_measured else 0.0,
    )


class _Quiet:
    """The context of the training in the warm-up: few rows, and no curves of a run that isn't."""

    def __init__(self, ctx: Context, recipe: TrainRecipe) -> None:
        self.job_id, self.project_id = ctx.job_id, ctx.project_id
        self.folder = ctx.folder / "warmup"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rates: list[float] = []
        self.held_out_rows = self.held_out_measured = 0
        self.cancelled, self.check, self.model = ctx.cancelled, ctx.check, ctx.model
        self._ctx, self._recipe = ctx, recipe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def emit(self, kind: str, data: EventData, step: int | None = None) -> None:
        """Pass on how far it is; keep the speeds."""
        if kind == "metric":
            measured = cast("MetricData", data)
            self.rates += [rate for name, rate in measured.items() if name == "tokens_per_s"]
        if kind == "progress":
            self._ctx.emit(kind, data, step)

    def rows(self, dataset_id: str, split: Split | None = None) -> list[Row]:
        """Enough rows for the steps: the longest, which take most memory, and others evenly."""
        found = self._ctx.rows(dataset_id, split)
        batch = self._recipe.per_device_train_batch_size
        if split == "held_out":
            self.held_out_rows = len(found)
            found = _evenly(found, batch)
            self.held_out_measured = len(found)
            return found
        longest = sorted(found, key=_size, reverse=True)[:batch]
        kept = {row.index for row in longest}
        others = [row for row in found if row.index not in kept]
        steps = self._recipe.max_steps or 1
        return [*longest, *_evenly(others, batch * self._accumulated() * steps)]

    def _accumulated(self) -> int:
        return int(number_in(self._recipe.trl, "gradient_accumulation_steps", 1)) or 1


def _size(row: Row) -> int:
    """Characters of a row, about."""
    return len(row.example.model_dump_json())


def _evenly(rows: Sequence[Row], most: int) -> list[Row]:
    every = max(1, -(-len(rows) // max(1, most)))
    return list(rows[::every])
