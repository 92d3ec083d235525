"""loop demo | status."""

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, say, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.demo.report import as_markdown
from engine.services import demo as demos
from engine.services import models
from engine.services.standing import standing


@click.group()
def loop() -> None:
    """Walk the loop, or see where it stands."""


@loop.command()
@as_json
def demo(as_json: bool) -> None:
    """Walk the whole loop once on the project's own data, with simulated raters.

    It takes about 10 minutes on two cores. Nothing in it is scripted to win: the raters follow a
    stated rule, and the verdict is what their votes say.
    """
    with workspace() as ws:
        models.ensure_default(ws, LOCAL, say)
        with working(ws):
            project, job = demos.start(ws, LOCAL)
            job = wait(ws, job)
        report = job.result["report"]
        text = f"{as_markdown(report)}\nSee it in the browser: tuneloop serve ({project.name})."
        show(report, text, as_json)


@loop.command()
@in_project
@as_json
def status(project: str | None, as_json: bool) -> None:
    """Show where a project's loop stands and what to do next."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        found = standing(ws, LOCAL, chosen.id)
        lines = [f"{step.state:8} {step.title:12} {step.detail}" for step in found.steps]
        lines.append(f"Next: {found.next_title}. {found.next_text}")
        show(found, "\n".join(lines), as_json)
