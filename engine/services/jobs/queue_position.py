"""The queue as those who wait see it: how many are before them, and when their turn comes."""

import time
from math import inf, isfinite

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core.actor import Actor, Role
from engine.core.event import ProgressEvent
from engine.core.job import LANES, Job, State
from engine.store import estimates, events, jobs
from engine.store.connect import reading
from engine.workspace import Workspace


class Waiting(BaseModel):
    """A queued job: how many are before it, and in how many seconds it starts, if one can tell."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    place: int
    starts_in_s: float | None


def queue(ws: Workspace, actor: Actor) -> list[Waiting]:
    """Every waiting job that the actor may see, the next one first; others count in its place.

    When it starts follows from the progress of what runs and from the estimates of what waits
    before it; None as soon as one of them says nothing.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        going = jobs.unfinished(conn)
        mine = {job.id for job in going if actor.sees(job.project_id)}
        return [
            one
            for lane in sorted({job.lane for job in going})
            for one in _lane(conn, [j for j in going if j.lane == lane], LANES.get(lane, 1))
            if one.job_id in mine
        ]


def _lane(conn: Connection, going: list[Job], width: int) -> list[Waiting]:
    """The waiting jobs of one lane, which takes them in their order, `width` at a time."""
    free = [0.0] * width
    found = []
    for n, job in enumerate(going):
        starts = min(free)
        if job.state is State.QUEUED:
            known = starts if isfinite(starts) else None
            found.append(Waiting(job_id=job.id, place=n, starts_in_s=known))
        left = _left(conn, job)
        free[free.index(starts)] = starts + (inf if left is None else left)
    return found


def _left(conn: Connection, job: Job) -> float | None:
    """Seconds that a job still takes, by its progress or else its estimate; None: nobody knows."""
    running = job.state is State.RUNNING
    newest = next(iter(events.newest(conn, job.id, "progress", 1)), None) if running else None
    if isinstance(newest, ProgressEvent):
        eta_s, done, total = (
            newest.data.get("eta_s"),
            newest.data["done"],
            newest.data["total"],
        )
        if eta_s is not None:
            return max(0.0, eta_s - (time.time() - newest.at))
        if done and job.started_at:
            return max(0.0, (newest.at - job.started_at) * (total / done - 1))
    estimate = estimates.of(conn, job.id)
    if estimate is None:
        return None
    gone = time.time() - (job.started_at or time.time()) if running else 0.0
    return max(0.0, estimate.seconds.likely - gone)
