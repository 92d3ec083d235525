"""Exports of models: queue one, find its folder, and pack it for a download."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import NotFound, UserError
from engine.core.job import Job, State
from engine.core.job_result import ExportResult
from engine.core.recipe import Recipe, read
from engine.exporters.declared import check, options_of
from engine.files import new_folder, pieces
from engine.models import origin
from engine.services import model_card
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.zip_stream import zipped
from engine.workspace import Workspace

KIND = "export"
HUB = "hub"
SIZES = ("quantisation", "precision")  # options that tell two exports to one format apart
MOST_PACKED = 4_000_000_000


class Format(NamedTuple):
    """A format by its name; `options` are fields of an export's recipe that a person may set."""

    name: str
    title: str
    summary: str
    options: tuple[str, ...]


def start(ws: Workspace, actor: Actor, project_id: str, values: dict[str, object]) -> Job:
    """Queue the export of a model; `values` are fields of its recipe.

    The certificate asks the held-out questions of the dataset the model learned from, unless
    another is named; UserError where there is none and a certificate is wanted. A push to the Hub
    uses this server's token, so it is for owners alone.
    """
    actor.require(Role.OWNER if values.get("to") == HUB else Role.TRAINER)
    model = registry.get(ws, actor, str(values.get("model", "")))
    exporter = plugins.load("exporters", str(values.get("to", "")))
    base = origin.of_base(registry.files(ws, model).base)
    wanted = {"certify": True, "dataset": model.dataset_id, **values}
    if wanted["certify"] and not wanted["dataset"]:
        raise UserError(
            f"The certificate has no questions: {model.name} learned from no dataset here.",
            "Name a dataset with held-out rows, or export without a certificate.",
        )
    card = model_card.model_card(ws, actor, model.id)
    known = {"base": base.name, "revision": base.revision, "card": card}
    recipe: Recipe = read(plugins.load("jobs", KIND).Recipe, {**wanted, **known})
    fields = recipe.model_dump()
    check(exporter, fields)
    name = f"{model.name} as {format_name(fields)}"
    return lifecycle.submit(ws, actor, project_id, recipe, name)


def again(ws: Workspace, actor: Actor, job_id: str) -> Job:
    """Queue an export that failed or was stopped once more, with the same settings."""
    old = lifecycle.get(ws, actor, job_id)
    recipe = lifecycle.recipe_of(old)
    check(plugins.load("exporters", str(old.recipe.get("to", ""))), recipe.model_dump())
    return lifecycle.submit(ws, actor, old.project_id, recipe, old.name)


def format_name(values: Mapping[str, object]) -> str:
    """The format that fields of an export's recipe choose: "GGUF Q4_K_M", "Adapter (PEFT)"."""
    to = str(values.get("to", ""))
    exporter = plugins.find("exporters", to)
    if exporter is None:
        return to
    fields = plugins.load("jobs", KIND).Recipe.model_fields
    chosen = [
        str(values.get(name) or fields[name].default)
        for name in options_of(exporter)
        if name in SIZES
    ]
    return " ".join([str(exporter.TITLE), *chosen])


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Job]:
    """The exports of a project, newest first."""
    return lifecycle.list_all(ws, actor, project_id, (KIND,))


def result(ws: Workspace, actor: Actor, job_id: str) -> ExportResult:
    """What a finished export found; NotFound for any other job."""
    job = lifecycle.get(ws, actor, job_id)
    if job.state is not State.DONE or not isinstance(job.result, ExportResult):
        raise NotFound(f"{job.name} is no finished export.", "Export the model first.")
    return job.result


def folder(ws: Workspace, actor: Actor, job_id: str) -> Path:
    """The folder of a finished export; NotFound where it has been removed."""
    path = ws.files / result(ws, actor, job_id).path
    if not path.is_dir():
        raise NotFound("The exported files are not in the data folder any more.", "Export again.")
    return path


def copy(ws: Workspace, actor: Actor, job_id: str, out: Path) -> None:
    """The files of a finished export in the new folder `out`, which is whole or not there."""
    made, found = folder(ws, actor, job_id), result(ws, actor, job_id)
    with new_folder(out) as aside:
        for file in found.files:
            (aside / file.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made / file.name, aside / file.name)


def formats() -> list[Format]:
    """Every format, in the order in which they are shown."""
    loaded = [(name, plugins.load("exporters", name)) for name in plugins.names("exporters")]
    return [Format(name, each.TITLE, each.SUMMARY, options_of(each)) for name, each in loaded]


def format_named(name: str) -> Format:
    """One format; UserError where there is none of this name."""
    plugins.load("exporters", name)
    return next(each for each in formats() if each.name == name)


def packed(ws: Workspace, actor: Actor, job_id: str) -> Iterator[bytes]:
    """The folder of an export as a ZIP archive, piece by piece; UserError where it is too large."""
    path, found = folder(ws, actor, job_id), result(ws, actor, job_id)
    if sum(file.bytes for file in found.files) > MOST_PACKED:
        raise UserError(
            f"The exported files are larger than {MOST_PACKED / 1e9:.0f} GB, too large to download "
            "here.",
            f"Copy the folder on the server: {found.path} in the folder files.",
        )
    return zipped((file.name, pieces(path / file.name)) for file in found.files)
