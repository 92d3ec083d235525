"""A question of the playground without torch: its model is a number that is made once a process."""

import itertools
import os
import signal
import time
from typing import Literal

from engine.core.errors import UserError
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.recipe import Recipe as BaseRecipe

MADE = itertools.count(1)


class Recipe(BaseRecipe):
    KIND = "fake_play"
    LANE = "play"

    act: Literal["answer", "long", "deaf", "die", "bug", "refuse"] = "answer"
    model: str = "small"
    note: str = ""


def run(recipe: Recipe, ctx: Context) -> Outcome:
    print(f"asked {recipe.note}", flush=True)
    made = ctx.model_cache.get(recipe.model, lambda: next(MADE))
    ctx.emit("sample", {"model": recipe.model, "text": "Well", "done": False})
    if recipe.act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if recipe.act == "bug":
        raise ZeroDivisionError(recipe.note)
    if recipe.act == "refuse":
        raise UserError("The prompt is too long.", "Shorten it.")
    if recipe.act == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while recipe.act in ("long", "deaf"):
        if recipe.act == "long":
            ctx.check()
        time.sleep(0.02)
    return Outcome(result={"pid": os.getpid(), "made": made, "note": recipe.note})
