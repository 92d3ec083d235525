"""The arm "best of 4": a model that writes several answers, of which a reward head prefers one.

It exists in rounds alone. It is stored as a model that is known by name, so that nothing else can
train on it, export it or serve it.
"""

import time
from collections.abc import Mapping

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor
from engine.core.job import Job
from engine.core.job_result import HeadResult
from engine.core.model import Model
from engine.core.rating import RoundPlan
from engine.services import access
from engine.store import models

KEY = "best_of"  # in `info`: the model that writes, how many answers, and the head that chooses


def plan_with_arm(
    conn: Connection, actor: Actor, project_id: str, plan: RoundPlan, best_of: int, job: Job
) -> RoundPlan:
    """The plan whose arm under test writes `best_of` answers; its arm is made where it is new."""
    asked = access.model(conn, actor, plan.arms[0], project_id)
    known = job.result_as(HeadResult).sha256
    about = {"model": asked.id, "answers": best_of, "head_sha256": known}
    arm = _known(conn, project_id, about) or _made(conn, project_id, asked, best_of, about)
    return plan.model_copy(update={
        "arms": (arm.id, plan.arms[1]), "best_of": best_of, "best_of_model": asked.id,
        "head": job.id, "head_sha256": known,
    })  # fmt: skip


def _known(conn: Connection, project_id: str, about: Mapping[str, object]) -> Model | None:
    return next((m for m in models.outside(conn, project_id) if m.info.get(KEY) == about), None)


def _made(
    conn: Connection, project_id: str, asked: Model, best_of: int, about: dict[str, object]
) -> Model:
    made = Model.model_validate({
        "id": ids.new("model"), "project_id": project_id, "name": f"{asked.name}@best-of-{best_of}",
        "kind": "outside", "source": "trained", "path": "", "info": {KEY: about},
        "created_at": time.time(),
    })  # fmt: skip
    models.add(conn, made)
    return made
