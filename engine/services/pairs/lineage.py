"""Where a model comes from: the data it learned from, the votes behind them, the rounds of those.

Models trained one on another are all named, the newest first, down to the base.
"""

from pathlib import Path
from typing import Any

from engine.core.actor import Actor, Role
from engine.core.errors import NotFound
from engine.core.model import Model
from engine.services import datasets, models, projects
from engine.services.rating import pairs
from engine.store.connect import reading
from engine.store.exports import list_all
from engine.workspace import Workspace


def of_model(ws: Workspace, actor: Actor, model_id: str) -> list[dict[str, Any]]:
    """JSON of the model and of all that it was trained from; `pairs` where votes are behind it."""
    actor.require(Role.TRAINER)
    return [_step(ws, actor, model) for model in models.lineage(ws, actor, model_id)]


def of_folder(ws: Workspace, actor: Actor, folder: Path) -> list[dict[str, Any]]:
    """The same for the folder of a trained model; NotFound where no model lies there."""
    actor.require(Role.TRAINER)
    wanted = folder.resolve()
    for model in _everything(ws, actor):
        if (ws.files / model.path).resolve() == wanted:
            return of_model(ws, actor, model.id)
    raise NotFound(f"No model lies in {folder.name}.", "Give the folder that a training made.")


def _everything(ws: Workspace, actor: Actor) -> list[Model]:
    return [
        model
        for project in projects.list_all(ws, actor)
        for model in models.list_all(ws, actor, project.id)
    ]


def _step(ws: Workspace, actor: Actor, model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {"model": model.name, "id": model.id, "kind": model.kind}
    if model.dataset_id is None:
        return found
    dataset = datasets.get(ws, actor, model.dataset_id)
    found |= {"dataset": dataset.label, "dataset_sha256": dataset.sha256}
    with reading(ws.db) as conn:
        made = [e for e in list_all(conn, dataset.project_id) if e.dataset_id == dataset.id]
    if made:
        about = pairs.about(ws, actor, made[0].id)
        kept = ("watermark", "content_sha256", "rules_sha256", "rounds", "agreement", "counts")
        found["pairs"] = {key: about[key] for key in kept if key in about}
        found["votes_gone"] = pairs.gone(ws, actor, made[0].id)
    return found
