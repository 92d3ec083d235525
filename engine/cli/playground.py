"""playground ask PROMPT."""

from typing import Any

import click

from engine import plugins
from engine.cli import common, recipe_options
from engine.cli.common import as_json, in_project, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.job_result import PlayResult
from engine.core.recipe import Recipe, read
from engine.services.jobs import lifecycle

PLAY: type[Recipe] = plugins.load("jobs", "play").Recipe


@click.group()
def playground() -> None:
    """Try a prompt on one or more models."""


@playground.command()
@click.argument("prompt")
@click.option(
    "--model",
    "wanted",
    multiple=True,
    required=True,
    help="Model that answers; repeat it to compare several.",
)
@recipe_options.options(PLAY, skip=("prompt",))
@in_project
@as_json
def ask(
    prompt: str,
    wanted: tuple[str, ...],
    project: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Send one PROMPT to one or more models and print their answers."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = {
            "models": [common.model_id(ws, chosen.id, m) for m in wanted],
            "prompt": prompt,
            **recipe_options.given(options),
        }
        recipe = read(PLAY, values)
        with working(ws):
            job = wait(ws, lifecycle.submit(ws, LOCAL, chosen.id, recipe, "Question"))
        answers = list(job.result_as(PlayResult).answers.values())
        text = "\n\n".join(f"{m}: {a.text}" for m, a in zip(wanted, answers, strict=True))
        show(job.result, text, as_json)
