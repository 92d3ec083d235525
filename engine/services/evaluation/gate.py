"""The gate before a blind round: no regression check of the model may have failed."""

from collections.abc import Sequence

from engine.core.actor import Actor, Role
from engine.core.errors import Conflict
from engine.core.evaluation import RegressionCheck
from engine.services.evaluation import evaluations
from engine.workspace import Workspace


def regression_checks(
    ws: Workspace, actor: Actor, project_id: str, model_id: str
) -> tuple[str | None, tuple[RegressionCheck, ...]]:
    """The newest evaluation with regression checks of this model, and the checks; else nothing."""
    actor.require(Role.TRAINER)
    for ref in evaluations.list_all(ws, actor, project_id):
        if model_id not in ref.models:
            continue
        seen = evaluations.get(ws, actor, ref.id)
        mine = tuple(one for one in seen.regression_checks if one.model == model_id)
        if mine:
            return ref.id, mine
    return None, ()


def regression(checks: Sequence[RegressionCheck]) -> str:
    """How the newest model regressed, in a sentence; empty where it did not."""
    regressed = " ".join(one.message for one in checks if one.regressed)
    return f"The newest model regressed. {regressed}" if regressed else ""


def check(ws: Workspace, actor: Actor, project_id: str, model_id: str) -> None:
    """Raise Conflict, with the reason, for a model that people should not be asked about."""
    _, checks = regression_checks(ws, actor, project_id, model_id)
    if sentence := regression(checks):
        raise Conflict(
            sentence,
            "Train again: lower learning rate, higher beta, or fewer steps.",
        )
