"""Jobs that another job starts: waited for, with their progress passed on."""

import time
from collections.abc import Callable
from typing import Protocol

from engine import plugins
from engine.core.actor import Actor
from engine.core.errors import UserError
from engine.core.event import ProgressEvent
from engine.core.job import Job, State
from engine.core.job_context import Context
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe, read_exact
from engine.services.jobs import lifecycle
from engine.workspace import Workspace

POLL_EVERY_S = 0.3


class LoopContext(Context, Protocol):
    """A job that starts other jobs also needs the workspace."""

    ws: Workspace


def training_recipe(kind: str, settings: JsonObject, model: str) -> TrainRecipe:
    """A training that a loop will start on a dataset that is not there yet.

    UserError where its settings are none.
    """
    recipe: TrainRecipe = read_exact(
        plugins.load("jobs", kind).Recipe, {"model": model, "dataset": "later", **settings}
    )
    return recipe


def wait(
    ctx: LoopContext, actor: Actor, job: Job, label: str, tell: Callable[[str, float], None]
) -> Job:
    """The job when it is done; `tell` hears `label` with the share of it that is done so far.

    Cancels the job and raises Cancelled when `ctx` is asked to stop; UserError where it failed.
    """
    seen = 0
    while not job.over:
        if ctx.cancelled():
            lifecycle.cancel(ctx.ws, actor, job.id)
            ctx.check()
        time.sleep(POLL_EVERY_S)
        for event in lifecycle.watch(ctx.ws, actor, job.id, seen):
            seen = event.seq
            if isinstance(event, ProgressEvent):
                tell(label, event.data["done"] / max(1, event.data["total"]))
        job = lifecycle.get(ctx.ws, actor, job.id)
    if job.state is not State.DONE:
        raise UserError(
            f"{label} did not finish: {job.error or job.state}.", "See the job for the reason."
        )
    return job
