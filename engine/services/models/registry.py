"""Models: the shared bases, and what a project trained from them."""

import time
from collections.abc import Callable
from pathlib import Path

from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.context import ModelFiles
from engine.core.errors import NotFound
from engine.core.model import Model, Source
from engine.models import default
from engine.services import access
from engine.store import models
from engine.store.connect import reading, writing
from engine.workspace import Workspace

DEFAULT_NAME = "SmolLM2-135M-Instruct"


def list_all(ws: Workspace, actor: Actor, project_id: str | None = None) -> list[Model]:
    """Bases first, then the project's models in the order they were trained.

    Those that a search for settings tried come before the others, so that the last is none of them.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        if project_id:
            access.project(conn, actor, project_id)
        return models.list_all(conn, project_id)


def outside(ws: Workspace, actor: Actor, project_id: str) -> list[Model]:
    """The models that votes or answers of a file are about, known by name alone, oldest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return models.outside(conn, project_id)


def get(ws: Workspace, actor: Actor, model_id: str) -> Model:
    """The model; NotFound otherwise."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return access.model(conn, actor, model_id)


def files(ws: Workspace, model: Model) -> ModelFiles:
    """Where a model's files lie; NotFound when its folder has gone."""
    base = model
    if not model.has_all_weights and model.base_id:
        with reading(ws.db) as conn:
            base = access.model(conn, LOCAL, model.base_id)
    weights = ws.files / base.path  # a base's path is absolute and stays as it is
    adapter = None if model.has_all_weights else ws.files / model.path
    for folder in (weights, adapter):
        if folder is not None and not folder.is_dir():
            raise NotFound(
                f"The files of {model.name} are not in the data folder any more.",
                "Train it again, or restore the folder.",
            )
    return ModelFiles(model, weights, adapter)


def add_base(
    ws: Workspace, actor: Actor, name: str, folder: Path, source: Source, note: str = ""
) -> Model:
    """A base model that lies in `folder`; the one already known when the folder is."""
    actor.require(Role.OWNER)
    with writing(ws.db) as conn:
        for known in models.list_all(conn, None):
            if known.path == str(folder):
                return known
        new = Model(
            id=ids.new("model"),
            name=name,
            kind="base",
            source=source,
            path=str(folder),
            info={"note": note},
            created_at=time.time(),
        )
        models.add(conn, new)
    return new


def ensure_default(ws: Workspace, actor: Actor, say: Callable[[str], None] = print) -> Model:
    """The default base model, fetched once."""
    found = default.ensure(ws.settings.home, say)
    return add_base(ws, actor, DEFAULT_NAME, found.folder, found.source, found.note)


def lineage(ws: Workspace, actor: Actor, model_id: str) -> list[Model]:
    """The model, what it was trained from, and so on down to its base."""
    actor.require(Role.TRAINER)
    chain: list[Model] = []
    with reading(ws.db) as conn:
        next_id: str | None = model_id
        while next_id is not None:
            model = access.model(conn, actor, next_id)
            chain.append(model)
            next_id = model.parent_id or model.base_id
    return chain
