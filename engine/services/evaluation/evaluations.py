"""Evaluations that are done: list them, read one."""

from engine.core.actor import Actor, Role
from engine.core.errors import NotFound, UserError
from engine.core.evaluation import Evaluation
from engine.services import access
from engine.store import evaluations
from engine.store.connect import reading
from engine.store.evaluations import EvaluationRef
from engine.workspace import Workspace


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[EvaluationRef]:
    """Newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return evaluations.list_all(conn, project_id)


def ref(ws: Workspace, actor: Actor, evaluation_id: str) -> EvaluationRef:
    """What was compared and where its answers lie; NotFound outside the actor's projects."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        evaluation = evaluations.get(conn, evaluation_id)
    if evaluation is None or not actor.sees(evaluation.project_id):
        raise NotFound(f"There is no evaluation {evaluation_id!r}.", "Choose one from the list.")
    return evaluation


def get(ws: Workspace, actor: Actor, evaluation_id: str) -> Evaluation:
    """Every answer and score of one evaluation."""
    file = ref(ws, actor, evaluation_id).file
    try:
        return Evaluation.model_validate_json((ws.files / file).read_bytes())
    except OSError:
        raise UserError(
            "The answers of this evaluation are not in the data folder.", "Evaluate again."
        ) from None
