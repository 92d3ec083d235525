"""Where a model comes from: the data it learned from, the votes behind them, the rounds of those.

Models trained one on another are all named, the newest first, down to the base.
"""

from typing import TypedDict, cast

from engine.core.actor import Actor, Role
from engine.core.model import Model
from engine.services.data import datasets
from engine.services.models import registry
from engine.services.preferences import build
from engine.services.preferences.manifest import PairManifest
from engine.store.connect import reading
from engine.store.pair_exports import PairExport, list_all
from engine.workspace import Workspace


class LineageStep(TypedDict, total=False):
    """A model, the data it learned from, and what is known of the votes behind that."""

    model: str
    id: str
    kind: str
    dataset: str
    dataset_sha256: str
    pairs: PairManifest
    votes_gone: int


def of_model(ws: Workspace, actor: Actor, model_id: str) -> list[LineageStep]:
    """JSON of the model and of all that it was trained from; `pairs` where votes are behind it."""
    actor.require(Role.TRAINER)
    return [_step(ws, actor, model) for model in registry.lineage(ws, actor, model_id)]


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


def _step(ws: Workspace, actor: Actor, model: Model) -> LineageStep:
    found: LineageStep = {"model": model.name, "id": model.id, "kind": model.kind}
    if model.dataset_id is None:
        return found
    dataset = datasets.get(ws, actor, model.dataset_id)
    found["dataset"], found["dataset_sha256"] = dataset.label, dataset.sha256
    made = _exports(ws, actor, dataset.id)
    if made:
        about = build.about(ws, actor, made[0].id)
        kept = ("watermark", "content_sha256", "rules_sha256", "rounds", "agreement", "counts")
        known = {name: value for name, value in about.items() if name in kept}
        found["pairs"] = cast("PairManifest", known)
        found["votes_gone"] = build.gone(ws, actor, made[0].id)
    return found
