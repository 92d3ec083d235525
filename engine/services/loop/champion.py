"""The champion: the model of a project that is the best so far, by people's decision.

What was decided is never changed: taking a promotion back adds a row that names the model before.
"""

import time

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.model import Model
from engine.services import access
from engine.store import promotions
from engine.store.connect import reading, writing
from engine.store.promotions import Promotion as Promotion
from engine.workspace import Workspace

REASON_LENGTH = 500


def promote(
    ws: Workspace, actor: Actor, project_id: str, model_id: str, reason: str = ""
) -> Promotion:
    """Make a model the champion; Conflict where it is already, and for one that cannot answer."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        model = access.model(conn, actor, model_id, project_id)
        if model.kind == "reward":
            raise Conflict(
                f"{model.name} is a reward model: it scores answers and cannot generate them.",
                "Choose a model that answers.",
            )
        if champions(promotions.list_all(conn, project_id))[-1:] == [model_id]:
            raise Conflict(f"{model.name} is the champion already.", "There is nothing to do.")
        return _add(conn, actor, project_id, model_id, reason)


def roll_back(ws: Workspace, actor: Actor, project_id: str, reason: str = "") -> Promotion:
    """Make the champion before this one the champion again; Conflict where there was none."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        before = champions(promotions.list_all(conn, project_id))
        if len(before) < 2:
            raise Conflict("There was no champion before this one.", "Promote another model.")
        return _add(conn, actor, project_id, before[-2], reason or "Taken back.")


def current(ws: Workspace, actor: Actor, project_id: str) -> Model | None:
    """The champion; None while nobody promoted a model."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        chosen = champions(promotions.list_all(conn, project_id))
        return access.model(conn, actor, chosen[-1]) if chosen else None


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Promotion]:
    """All that was decided, newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return promotions.list_all(conn, project_id)[::-1]


def champions(decided: list[Promotion]) -> list[str]:
    """The champions that stand, oldest first: going back to the one before takes the last away."""
    champion_ids: list[str] = []
    for each in decided:
        if champion_ids[-2:-1] == [each.model_id]:
            champion_ids.pop()
        elif champion_ids[-1:] != [each.model_id]:
            champion_ids.append(each.model_id)
    return champion_ids


def _add(conn: Connection, actor: Actor, project_id: str, model_id: str, reason: str) -> Promotion:
    new = Promotion(
        id=ids.new("promotion"),
        project_id=project_id,
        model_id=model_id,
        reason=reason.strip()[:REASON_LENGTH],
        created_by=actor.name,
        created_at=time.time(),
    )
    promotions.add(conn, new)
    return new
