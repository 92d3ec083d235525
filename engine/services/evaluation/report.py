"""An evaluation as a file to take along."""

from engine.core.actor import Actor, Role
from engine.core.evaluation_sentences import baseline_title
from engine.reports import evaluation_html
from engine.services import access
from engine.services.evaluation import evaluations
from engine.store import models
from engine.store.connect import reading
from engine.workspace import Workspace


def html(ws: Workspace, actor: Actor, evaluation_id: str) -> str:
    """One page that needs nothing else: scores, differences, checks, speed, the first answers."""
    actor.require(Role.TRAINER)
    evaluation = evaluations.get(ws, actor, evaluation_id)
    with reading(ws.db) as conn:
        dataset = access.dataset(conn, actor, evaluation.dataset_id)
        known = {m.id: m.name for m in models.list_all(conn, dataset.project_id)}
    names = {
        who: known.get(who, baseline_title(who))
        for who in (*evaluation.models, *evaluation.baselines)
    }
    return evaluation_html.render(evaluation, names, dataset.label)
