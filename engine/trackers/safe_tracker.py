"""Trackers beside a training, and how little they may do to it.

The first fault of a tracker, while it starts or in any hook, is one sentence of the run; from then
on the run goes on without it. No secret of the environment gets into that sentence.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any

from engine import plugins
from engine.core.job_context import Context
from engine.core.recipe import TrainRecipe
from engine.trackers.run import Run, Tracker

FOLDER = "trackers"  # in the folder of a job
LONGEST = 300  # characters of a library's own words
_SECRET = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(_|$)")
_SHORTEST = 6  # a shorter value is a switch, and hiding it would garble the sentence
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=token=)[^&\s]+")


@contextmanager
def beside(trainer: Any, recipe: TrainRecipe, ctx: Context, step: int) -> Iterator[None]:
    """Let the recipe's trackers follow `trainer` from `step` on; they are closed at the end."""
    trackers = [
        _started(name, trainer, recipe, ctx, step) for name in dict.fromkeys(recipe.trackers)
    ]
    came_to_its_end = False
    try:
        yield
        came_to_its_end = ctx.keeping() or not ctx.cancelled()
    finally:
        for tracker in trackers:
            tracker.finish(came_to_its_end)


class SafeTracker:
    """One tracker: what it raises is said once, and then it is asked nothing more."""

    def __init__(self, title: str, ctx: Context) -> None:
        self._title = title
        self._ctx = ctx
        self._tracker: Tracker | None = None
        self._fallen = False

    def start(self, begin: Callable[[], Tracker]) -> Any:
        """A TrainerCallback that passes every hook on to the tracker; None where it fell."""
        self._tracker = self.attempt(begin)
        if self._tracker is None:
            return None
        self._ctx.emit("log", {"text": without_secrets(self._tracker.message)})
        return _passed_on(self, self._tracker.callback)

    def attempt(self, do: Callable[[], Any]) -> Any:
        """What `do` returns; None once the tracker has fallen."""
        if self._fallen:
            return None
        try:
            return do()
        except Exception as error:
            self._fallen = True
            text = f"{self._title} could not be written: {_reason(error)}; the run goes on without "
            self._ctx.emit("log", {"text": f"{text}it."})
            return None

    def finish(self, came_to_its_end: bool) -> None:
        """Close the tracker, also one that fell: it may hold a file or a process."""
        if self._tracker is None:
            return
        finish = self._tracker.finish
        if self._fallen:
            with suppress(Exception):
                finish(False)
        self.attempt(lambda: finish(came_to_its_end))


def without_secrets(text: str) -> str:
    """`text` without the secrets of the environment and without passwords in addresses."""
    for name, value in os.environ.items():
        if _SECRET.search(name.upper()) and len(value) >= _SHORTEST:
            text = text.replace(value, "…")
    return _IN_ADDRESS.sub("…", text)


def _started(name: str, trainer: Any, recipe: TrainRecipe, ctx: Context, step: int) -> SafeTracker:
    plug = plugins.load("trackers", name)
    tracker = SafeTracker(plug.TITLE, ctx)
    callback = tracker.start(lambda: plug.start(_run(name, trainer.args, recipe, ctx, step)))
    if callback is not None:
        trainer.add_callback(callback)
    return tracker


def _run(name: str, args: Any, recipe: TrainRecipe, ctx: Context, step: int) -> Run:
    """What the tracker is told; its folder is emptied where the training begins anew."""
    folder: Path = ctx.folder / FOLDER / name
    if not step:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    args.run_name = args.run_name or f"{recipe.KIND}-{ctx.job_id[-4:]}"
    # a job that trains more than once has a folder for each training
    own = "" if ctx.folder.name == ctx.job_id else f"-{ctx.folder.name}"
    return Run(f"{ctx.job_id}{own}", args.run_name, args.project, folder.resolve(), step)


def _passed_on(tracker: SafeTracker, callback: Any) -> Any:
    """A TrainerCallback of all of upstream's hooks, each of them guarded."""
    from transformers import TrainerCallback

    def hook(name: str) -> Callable[..., None]:
        def call(_self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            # a copy: whoever only looks on may not decide whether the training stops
            tracker.attempt(lambda: getattr(callback, name)(args, state, copy(control), **more))

        return call

    hooks = {name: hook(name) for name in dir(TrainerCallback) if name.startswith("on_")}
    return type("Tracked", (TrainerCallback,), hooks)()


def _reason(error: Exception) -> str:
    """The first line of what a library said, or the kind of its error where it said nothing."""
    lines = without_secrets(str(error)).strip().splitlines()
    line = lines[0].strip().rstrip(".")[:LONGEST] if lines else ""
    return line or type(error).__name__
