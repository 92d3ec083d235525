"""serve, worker, models."""

import os
import sys

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, say, show, workspace
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.models import registry as model_service
from engine.worker import Worker


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=7860, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Start the web app and one worker.

    At an address that others can reach, and once anybody has an account (tuneloop people), the
    page asks who somebody is; the first start prints the link for the owner's account.
    """
    # A process of its own: the command line stays light, and Gradio is imported once.
    os.execv(sys.executable, [sys.executable, "-m", "ui", "--host", host, "--port", str(port)])


@click.command()
@click.option("--follow", type=int, default=None, hidden=True, help="End after this process.")
def worker(follow: int | None) -> None:
    """Run jobs until stopped; SIGTERM ends it after the job under way."""
    with workspace() as ws:
        Worker(ws, follow).serve()


@click.command()
@in_project
@click.option("--fetch", is_flag=True, help="Fetch the default model now.")
@as_json
def models(project: str | None, fetch: bool, as_json: bool) -> None:
    """List the models, base models first."""
    with workspace() as ws:
        if fetch:
            model_service.ensure_default(ws, LOCAL, say)
        known = projects.list_all(ws, LOCAL)
        chosen = common.project(ws, project).id if project or known else None
        found = model_service.list_all(ws, LOCAL, chosen)
        lines = [f"{m.name:40} {m.kind:8} {m.source:8} {m.info.get('note', '')}" for m in found]
        text = "\n".join(lines) or "No model yet. Fetch the default: tuneloop models --fetch"
        show({"models": found}, text, as_json)
