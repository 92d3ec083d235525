"""A job comes into being: the only place where a row of the queue is made."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from engine.core import ids
from engine.core.job import Job, State
from engine.core.recipe import Recipe
from engine.store import events, jobs
from engine.store.json_columns import to_json

DOUBLE_CLICK_S = 2.0
LONGEST_NAME = 80


class Enqueued(NamedTuple):
    """A job in the queue; not `is_new` where the same was asked for a moment ago."""

    job: Job
    is_new: bool


def enqueue(
    conn: Connection,
    project_id: str,
    recipe: Recipe,
    owner: str,
    now: float,
    *,
    name: str = "",
    request: str = "",
    resumes: Job | None = None,
) -> Enqueued:
    """Queue `recipe` for `owner`; the same recipe twice within 2 s is one job.

    `request` is what a program asked for beyond the recipe: another request is another job.
    `resumes` is the run that the new one goes on from; its tags are taken over.
    """
    values = recipe.model_dump(mode="json")
    asked: list[object] = [recipe.KIND, values, *([request] if request else [])]
    digest = _digest(["resume", resumes.id] if resumes else asked)
    twin = jobs.twin(conn, project_id, digest, now - DOUBLE_CLICK_S)
    if twin:
        return Enqueued(twin, False)
    job = Job(
        id=ids.new("job"),
        project_id=project_id,
        kind=recipe.KIND,
        lane=recipe.LANE,
        name=name.strip()[:LONGEST_NAME] or recipe.KIND,
        recipe=values,
        state=State.QUEUED,
        owner=owner,
        tags=resumes.tags if resumes else (),
        created_at=now,
    )
    jobs.add(conn, job, digest)
    events.add(conn, job.id, [(now, "state", None, {"state": State.QUEUED})])
    return Enqueued(job, True)


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(to_json(values).encode()).hexdigest()
