"""Whether the votes still stand that a dataset was made of, or that a model learned from."""

from engine.core.actor import Actor, Role
from engine.services.data import datasets
from engine.services.models import registry
from engine.services.preferences import build
from engine.store.connect import reading
from engine.store.pair_exports import PairExport, list_all
from engine.workspace import Workspace


def stale(ws: Workspace, actor: Actor, dataset_id: str) -> str:
    """A sentence where votes that a dataset was made of do not stand any more; else nothing."""
    actor.require(Role.TRAINER)
    made = _exports(ws, actor, dataset_id)
    missing = min((build.gone(ws, actor, one.id) for one in made), default=0)
    if not missing:
        return ""
    votes = "1 vote" if missing == 1 else f"{missing} votes"
    return (
        f"Stale: {votes} behind these pairs were taken back or deleted since. Make the pairs "
        "again, then train on those."
    )


def stale_model(ws: Workspace, actor: Actor, model_id: str) -> str:
    """The same for what a model learned from, and every model it was trained from."""
    actor.require(Role.TRAINER)
    for model in registry.lineage(ws, actor, model_id):
        if model.dataset_id and (warning := stale(ws, actor, model.dataset_id)):
            return warning
    return ""


def _exports(ws: Workspace, actor: Actor, dataset_id: str) -> list[PairExport]:
    """The exports that made a dataset, the newest first: other votes may make the same rows."""
    dataset = datasets.get(ws, actor, dataset_id)
    with reading(ws.db) as conn:
        return [e for e in list_all(conn, dataset.project_id) if e.dataset_id == dataset.id]
