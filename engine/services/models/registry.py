"""Models: shared bases and what a project trained; refuses adapters whose base was replaced."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import NotFound, UserError
from engine.core.job_context import ModelFiles
from engine.core.model import Model, Source
from engine.models import default, weights_file
from engine.services import access
from engine.store import models
from engine.store.connect import reading, writing
from engine.workspace import Workspace

BASE_FINGERPRINT = "base_fingerprint"  # in `info` of an adapter: the weights it was trained on
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
    """The models known by name alone, oldest first: those of files of votes, and removed bases."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return models.outside(conn, project_id, removed=True)


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
    weights = ws.files / base.path  # an absolute path stays as it is
    adapter = None if model.has_all_weights else ws.files / model.path
    if not weights.is_dir() and base.kind == "base":
        raise NotFound(
            f"The files of the base model {base.name} are no longer where they were.",
            "Put the folder back, or add the base model again.",
        )
    for folder in (weights, adapter):
        if folder is not None and not folder.is_dir():
            raise NotFound(
                f"The files of {model.name} are not in the data folder any more.",
                "Train it again, or restore the folder.",
            )
    _check_base(model, base, weights)
    return ModelFiles(model, weights, adapter)


def _check_base(model: Model, base: Model, weights: Path) -> None:
    """UserError where other weights lie in the base's folder than an adapter was trained on."""
    trained_on = model.info.get(BASE_FINGERPRINT)
    if base is not model and trained_on and weights_file.sampled(weights) != trained_on:
        raise UserError(
            f"The weights of {base.name} are no longer those that {model.name} was trained on.",
            "Put the old weights back into its folder, or train again.",
        )


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
    """The default base model, fetched once, or the one that TUNELOOP_MODEL names by now."""
    found = default.ensure(ws.settings.home, say)
    name = found.folder.name if found.source == "folder" else DEFAULT_NAME
    return add_base(ws, actor, name, found.folder, found.source, found.note)


def default_model(ws: Workspace, actor: Actor, say: Callable[[str], None] = print) -> Model:
    """The base that "default" means: that of TUNELOOP_MODEL, else the first base, else fetched."""
    bases = [one for one in list_all(ws, actor) if one.kind == "base"]
    if default.named_folder() or not bases:
        return ensure_default(ws, actor, say)
    return bases[0]


def default_is_known(ws: Workspace, actor: Actor) -> bool:
    """Whether a base model is here: the one that TUNELOOP_MODEL names, or any where it is unset."""
    named = default.named_folder()
    bases = [one for one in list_all(ws, actor) if one.kind == "base"]
    return any(named is None or one.path == str(named) for one in bases)


def lineage(ws: Workspace, actor: Actor, model_id: str) -> list[Model]:
    """The model, what it was trained from, and so on down to its base."""
    actor.require(Role.TRAINER)
    chain: list[Model] = []
    with reading(ws.db) as conn:
        next_id: str | None = model_id
        while next_id is not None:
            model = access.model(conn, actor, next_id, outside=bool(chain))
            chain.append(model)
            next_id = model.parent_id or model.base_id
    return chain


def request_name(model: Model, known: Sequence[Model]) -> str:
    """What a program calls the model: its name where no other of `known` has it, else its id."""
    return model.name if sum(each.name == model.name for each in known) == 1 else model.id
