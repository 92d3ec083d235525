"""A training without torch: it adds up its steps, and keeps the sum as a training keeps weights."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from engine.core.job_context import Cancelled, Context
from engine.core.job_outcome import Outcome
from engine.core.recipe import Ref, TrainRecipe
from engine.methods import checkpoint


class Recipe(TrainRecipe):
    """`stuck_at` is the step at which the first attempt stands still, and makes the file `stuck`.

    With a `gate`, every attempt stands there until that file exists.
    """

    KIND: ClassVar[str] = "fake_training"

    model: str = ""
    dataset: str = ""
    steps: int = 40
    step_s: float = 0.02
    stuck_at: int = 0
    gate: str = ""
    loading_s: float = 0.0
    saving_s: float = 0.0

    def needs(self) -> list[Ref]:
        return []


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The sum of all steps; an attempt that goes on says again what was said until then."""
    folder = ctx.folder / checkpoint.FOLDER
    source = checkpoint.origin(recipe, [])
    checkpoint.sweep(folder)
    found = checkpoint.newest_verified(folder, source)
    total = int((found.path / "sum").read_text()) if found else 0
    first = found.step if found else 0
    ctx.emit("log", {"text": f"begins at {first}"})
    time.sleep(recipe.loading_s)
    for step in range(1, first + 1):
        ctx.emit("metric", {"loss": 1 / step}, step)
    for step in range(first + 1, recipe.steps + 1):
        ctx.emit("progress", {"done": step, "total": recipe.steps, "label": "", "eta_s": 0}, step)
        if step == recipe.stuck_at:
            (ctx.folder / "stuck").touch()
        while step == recipe.stuck_at and _stands_still(recipe, bool(found)):
            time.sleep(0.02)
        time.sleep(recipe.step_s)
        total += step
        ctx.emit("metric", {"loss": 1 / step}, step)
        if step % 2 == 0:
            checkpoint.commit(folder, step, source, _writer(total, recipe.saving_s))
            checkpoint.rotate(folder)
        if ctx.cancelled():
            if ctx.keeping():
                return Outcome(result={"sum": total, "stopped_at": step})
            raise Cancelled
    return Outcome(result={"sum": total, "began_at": first})


def _stands_still(recipe: Recipe, goes_on: bool) -> bool:
    return not Path(recipe.gate).exists() if recipe.gate else not goes_on


def _writer(total: int, seconds: float) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "sum").write_text(str(total))
        time.sleep(seconds)

    return fill
