"""models list | fetch."""

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, say, show, workspace
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.models import registry


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
