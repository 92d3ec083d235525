"""A job without torch, installed like a third party's: it behaves as badly as it is told to."""

import os
import resource
import signal
import time
from typing import Literal

from engine.core.errors import UserError
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.recipe import Recipe as BaseRecipe


class Recipe(BaseRecipe):
    KIND = "fake"

    act: Literal["done", "sleep", "die", "bug", "refuse", "deaf", "hungry", "full disk"] = "done"
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
    _run_out(recipe, ctx)
    step = 0
    while recipe.act in ("sleep", "deaf"):
        step += 1
        ctx.emit("metric", {"loss": 1 / step}, step)
        if recipe.act == "sleep":
            ctx.check()
        time.sleep(0.02)
    return Outcome(result={"note": recipe.note})


def _run_out(recipe: Recipe, ctx: Context) -> None:
    if recipe.act == "hungry":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        bytearray(2 << 30)
    if recipe.act == "full disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        print("x" * 2000)  # the log takes no more either
        (ctx.folder / "big").write_bytes(b"x" * 5000)
