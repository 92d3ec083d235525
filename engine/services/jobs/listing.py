"""The runs of a project: find them, name them, note them, tag them, delete them."""

import shutil
import time
from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal, Unpack

from sqlalchemy import Connection

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, Forbidden, UserError
from engine.core.job import Job, State
from engine.core.job_result import TrainingResult
from engine.services import access
from engine.store import datasets, job_removal, jobs, models
from engine.store.connect import reading, writing
from engine.workspace import Workspace

Sort = Literal["newest", "oldest", "name", "loss", "duration"]
LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 80, 4000, 30, 12


def search(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    text: str = "",
    tags: Sequence[str] = (),
    kinds: Sequence[str] | None = None,
    states: Sequence[State] | None = None,
    sort: Sort = "newest",
) -> list[Job]:
    """The runs that hold every word of `text` and every tag.

    Words are looked for in a run's name, note, tags, kind, id and error, and in the names of its
    model and its data.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        listed = jobs.list_all(conn, project_id)
        names = {one.id: one.label for one in datasets.list_all(conn, project_id)}
        names |= {one.id: one.name for one in models.list_all(conn, project_id)}
    words = text[:200].casefold().split()
    found = [
        job
        for job in listed
        if (kinds is None or job.kind in kinds)
        and (states is None or job.state in states)
        and set(tags) <= set(job.tags)
        and all(word in _haystack(job, names) for word in words)
    ]
    return _sorted(found, sort)


def tags(ws: Workspace, actor: Actor, project_id: str) -> list[str]:
    """Every tag in use, in the order of the alphabet."""
    runs = search(ws, actor, project_id)
    return sorted({tag for job in runs for tag in job.tags}, key=str.casefold)


def rename(ws: Workspace, actor: Actor, job_id: str, name: str) -> Job:
    """The run under another name; the pages call its model by it too."""
    wanted = " ".join(name.split())
    if not wanted:
        raise UserError("A run needs a name.", "Write one.")
    return _describe(ws, actor, job_id, name=wanted[:LONGEST_NAME])


def annotate(ws: Workspace, actor: Actor, job_id: str, note: str) -> Job:
    """The run with this note; an empty one takes it away."""
    if len(note) > LONGEST_NOTE:
        raise UserError(f"The note is longer than {LONGEST_NOTE:,} characters.", "Shorten it.")
    return _describe(ws, actor, job_id, note=note.strip())


def tag(ws: Workspace, actor: Actor, job_id: str, tags: Sequence[str]) -> Job:
    """The run with these tags and no others."""
    wanted = list(dict.fromkeys(clean for each in tags if (clean := " ".join(each.split()))))
    if len(wanted) > MOST_TAGS:
        raise UserError(f"{len(wanted)} tags are too many.", f"Keep at most {MOST_TAGS}.")
    for each in wanted:
        if len(each) > LONGEST_TAG or "," in each:
            raise UserError(
                f"The tag {each[:LONGEST_TAG]!r} is too long or has a comma.",
                f"Use at most {LONGEST_TAG} characters without a comma.",
            )
    return _describe(ws, actor, job_id, tags=wanted)


def remove(ws: Workspace, actor: Actor, job_id: str) -> None:
    """Delete a run with all that it made; Conflict names what still stands on it."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        job = access.job(conn, actor, job_id)
        _check_removal(conn, actor, job)
        job_removal.remove(conn, job_id)
    # after the commit: a crash between the two leaves files that nobody names, never the reverse
    shutil.rmtree(ws.files / "jobs" / job_id, ignore_errors=True)


def _describe(
    ws: Workspace, actor: Actor, job_id: str, **words: Unpack[jobs.JobDescription]
) -> Job:
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        access.job(conn, actor, job_id)
        jobs.describe(conn, job_id, **words)
        return access.job(conn, actor, job_id)


def _haystack(job: Job, names: dict[str, str]) -> str:
    used = [names[value] for value in _texts(job.recipe) if value in names]
    parts = [job.name, job.note, *job.tags, job.kind, job.id, job.error or "", *used]
    return " ".join(parts).casefold()


def _texts(recipe: Mapping[str, object]) -> list[str]:
    several = [value if isinstance(value, list) else [value] for value in recipe.values()]
    return [value for each in several for value in each if isinstance(value, str)]


def _sorted(found: list[Job], sort: Sort) -> list[Job]:
    """`found`, which comes newest first; runs without the number come last."""
    if sort == "oldest":
        return found[::-1]
    if sort == "name":
        return sorted(found, key=lambda job: job.name.casefold())
    if sort == "loss":
        return sorted(found, key=_loss)
    if sort == "duration":
        return sorted(found, key=lambda job: -(_took(job) or 0.0))
    return found


def _loss(job: Job) -> float:
    loss = job.result_as(TrainingResult).best_held_out_loss
    return inf if loss is None else loss


def _took(job: Job) -> float | None:
    if job.started_at is None:
        return None
    return (job.finished_at or time.time()) - job.started_at


def _check_removal(conn: Connection, actor: Actor, job: Job) -> None:
    if actor.role < Role.OWNER and job.owner != actor.name:
        raise Forbidden(f"{job.name} was started by {job.owner}.", "Ask them, or the owner.")
    if not job.over:
        raise Conflict(f"{job.name} is not over.", "Stop it first.")
    users = job_removal.users(conn, job.id)
    if users:
        users_named = ", ".join(f"the {kind} {name}" for kind, name in users[:5])
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        raise Conflict(
            f"{job.name} is still used by {users_named}{more}.", "Delete or close those first."
        )
