"""Before people see a model: nothing that its evaluation watched may have fallen."""

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.evaluation import Watched
from engine.services.evaluation import evaluations
from engine.services.loop import stop_rules
from engine.workspace import Workspace


def watched(
    ws: Workspace, actor: Actor, project_id: str, model_id: str
) -> tuple[str | None, tuple[Watched, ...]]:
    """The newest evaluation that watched this model, and what it saw; nothing without one."""
    actor.require(Role.TRAINER)
    for ref in evaluations.list_all(ws, actor, project_id):
        if model_id not in ref.models:
            continue
        seen = evaluations.get(ws, actor, ref.id)
        mine = tuple(one for one in seen.guard if one.model == model_id)
        if mine:
            return ref.id, mine
    return None, ()


def check(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> None:
    """Raise Conflict, with the reason, for a model that people should not be asked about."""
    _, seen = watched(ws, actor, project_id, model_id)
    rule = stop_rules.guard(seen)
    if rule.stop:
        raise Conflict(
            rule.sentence,
            "Train again: lower learning rate, higher beta, or fewer steps.",
        )
