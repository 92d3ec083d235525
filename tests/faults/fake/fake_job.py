"""A job without torch, installed like a third party's: it behaves as badly as it is told to."""

import os
import signal
import time
from typing import Literal

from engine.core.context import Context
from engine.core.errors import UserError
from engine.core.outcome import Outcome
from engine.core.recipe import Recipe as BaseRecipe


class Recipe(BaseRecipe):
    KIND = "fake"

    act: Literal["done", "sleep", "die", "bug", "refuse", "deaf"] = "done"
    note: str = ""


def run(recipe: Recipe, ctx: Context) -> Outcome:
    ctx.emit("log", {"text": f"pid {os.getpid()}"})
    if recipe.act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if recipe.act == "bug":
        raise ZeroDivisionError("a secret path /nowhere")
    if recipe.act == "refuse":
        raise UserError("The data is too short.", "Add rows.")
    if recipe.act == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    step = 0
    while recipe.act in ("sleep", "deaf"):
        step += 1
        ctx.emit("metric", {"loss": 1 / step}, step)
        if recipe.act == "sleep":
            ctx.check()
        time.sleep(0.02)
    return Outcome(result={"note": recipe.note})
