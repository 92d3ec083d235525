"""models list | fetch | export."""

import shutil
from pathlib import Path
from typing import Any

import click

from engine import plugins
from engine.cli import common, recipe_options
from engine.cli.common import as_json, in_project, say, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.services import exports, projects
from engine.services.models import registry

EXPORT: type[Recipe] = plugins.load("jobs", "export").Recipe
WRITTEN_BY_THE_SERVICE = ("card", "base", "revision")


@click.group(invoke_without_command=True)
@in_project
@click.option("--fetch", is_flag=True, hidden=True, help="The same as `models fetch`.")
@as_json
@click.pass_context
def models(context: click.Context, project: str | None, fetch: bool, as_json: bool) -> None:
    """List models and fetch the default one; without a subcommand, list them."""
    if not context.invoked_subcommand:
        _show_models(project, as_json, fetch=fetch)


@models.command("list")
@in_project
@as_json
def list_models(project: str | None, as_json: bool) -> None:
    """List the models of a project, base models first."""
    _show_models(project, as_json)


@models.command("fetch")
@as_json
def fetch_default(as_json: bool) -> None:
    """Fetch the default model, if it is not here yet, and list the models."""
    _show_models(None, as_json, fetch=True)


def _show_models(project: str | None, as_json: bool, *, fetch: bool = False) -> None:
    with workspace() as ws:
        if fetch:
            registry.ensure_default(ws, LOCAL, say)
        known = projects.list_all(ws, LOCAL)
        chosen = common.project(ws, project).id if project or known else None
        models = registry.list_all(ws, LOCAL, chosen)
        lines = [f"{m.name:40} {m.kind:8} {m.source:8} {m.info.get('note', '')}" for m in models]
        text = "\n".join(lines) or "No model yet. Fetch the default: tuneloop models fetch"
        show({"models": models}, text, as_json)


@models.command("export")
@click.argument("model")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@recipe_options.options(EXPORT, skip=("model", *WRITTEN_BY_THE_SERVICE))
@in_project
@as_json
def export_model(model: str, out: Path, project: str | None, as_json: bool, **options: Any) -> None:
    """Write MODEL to a new folder in a format of other programs, and check that it answers alike.

    The certificate lets the exported files answer held-out questions in their own program and
    compares every answer with the model's.
    """
    if out.exists():
        raise UserError(f"{out} is there already.", "Name a new folder with --out.")
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = recipe_options.given(options)
        values["model"] = common.model_id(ws, chosen.id, model)
        if values.get("dataset"):
            values["dataset"] = common.dataset_id(ws, chosen.id, str(values["dataset"]))
        with working(ws):
            job = wait(ws, exports.start(ws, LOCAL, chosen.id, values))
        found = exports.result(ws, LOCAL, job.id)
        shutil.copytree(exports.folder(ws, LOCAL, job.id), out)
    size = sum(file.bytes for file in found.files) / 1e6
    text = f"{out}: {len(found.files)} files, {size:,.1f} MB.\n{found.sentence}"
    show({"path": str(out), "files": found.files, "certificate": found.certificate}, text, as_json)
