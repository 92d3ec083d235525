"""Before people see a model: nothing that its evaluation watched may have regressed."""

from collections.abc import Sequence

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.evaluation import Watched
from engine.services.evaluation import evaluations
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


def regression(seen: Sequence[Watched]) -> str:
    """What a model lost by its newest training, in a sentence; nothing where it lost nothing."""
    lost = " ".join(one.message for one in seen if one.fell)
    return f"The newest model lost something it had. {lost}" if lost else ""


def check(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> None:
    """Raise Conflict, with the reason, for a model that people should not be asked about."""
    _, seen = watched(ws, actor, project_id, model_id)
    if lost := regression(seen):
        raise Conflict(
            lost,
            "Train again: lower learning rate, higher beta, or fewer steps.",
        )
