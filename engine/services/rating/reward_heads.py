"""The reward head of the votes so far: learn it as a job, and read what it learned.

Votes of blind rounds are never learned (services/preferences/voted_pairs.py).
"""

from hashlib import sha256

from pydantic import ValidationError

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.job import Job
from engine.core.job_result import HeadResult
from engine.core.recipe import Recipe, read
from engine.core.reward_head import HEAD_FILE, RewardHead
from engine.services import access
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import rounds
from engine.store.connect import reading
from engine.workspace import Workspace

KIND = "reward_head"


def start(ws: Workspace, actor: Actor, project_id: str, model_id: str | None = None) -> Job:
    """Queue the learning of what raters prefer, of a model's rating rounds or of all.

    Conflict where no round collects preferences.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        found = [
            one
            for one in rounds.list_all(conn, project_id)
            if one.purpose == "train_pairs"
            and one.status in ("open", "closed")
            and model_id in (None, one.arm_new, one.arm_base)
        ]
    if not found:
        raise Conflict("No rating round collects preferences here.", "Collect votes first.")
    base = registry.lineage(ws, actor, found[0].arm_new)[-1]
    if base.kind == "outside":
        raise Conflict(
            f"{base.name} is known by name alone, so nothing can read the answers.",
            "Start a rating round with a model of this project.",
        )
    recipe: type[Recipe] = plugins.load("jobs", KIND).Recipe
    values = {"model": base.id, "rounds": tuple(one.id for one in found)}
    return lifecycle.submit(ws, actor, project_id, read(recipe, values), "What the raters prefer")


def newest(ws: Workspace, actor: Actor, project_id: str) -> Job | None:
    """The newest such job, under way or over; None before the first."""
    actor.require(Role.TRAINER)
    return next(iter(lifecycle.list_all(ws, actor, project_id, (KIND,))), None)


def usable(ws: Workspace, actor: Actor, project_id: str) -> Job | None:
    """The newest job that learned a head, where that one was not refused; else None."""
    actor.require(Role.TRAINER)
    done = [job for job in lifecycle.list_all(ws, actor, project_id, (KIND,)) if result(job)]
    return done[0] if done and not done[0].result_as(HeadResult).refused else None


def result(job: Job) -> HeadResult | None:
    """What the job found; None while it is under way or where it failed."""
    found = job.result_as(HeadResult)
    return found if found.pairs else None


def head(ws: Workspace, actor: Actor, project_id: str, job_id: str) -> RewardHead:
    """The head that a job of the project learned.

    UserError where it was refused, or where its file is not the one that the job wrote.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        job = access.job(conn, actor, job_id)
    found = job.result_as(HeadResult)
    if job.project_id != project_id or job.kind != KIND:
        raise NotFound(f"There is no reward head {job_id!r}.", "Learn one from the votes first.")
    if not found.sha256 or found.refused:
        raise UserError(
            found.sentence or f"{job.name} has not learned a reward head.",
            "Collect more votes, then learn from them again.",
        )
    path = ws.files / "jobs" / job.id / HEAD_FILE
    content = path.read_bytes() if path.is_file() else b""
    try:
        if sha256(content).hexdigest() != found.sha256:
            raise ValueError("another file")
        return RewardHead.model_validate_json(content)
    except (ValueError, ValidationError):
        raise UserError(
            f"The reward head of {job.name} is not in the data folder as it was written.",
            "Learn it from the votes again.",
        ) from None
