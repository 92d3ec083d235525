"""playground ask PROMPT."""

import click

from engine import plugins
from engine.cli import common
from engine.cli.common import as_json, in_project, show, wait, working, workspace
from engine.core.actor import LOCAL
from engine.core.recipe import read
from engine.core.result import PlayResult
from engine.services.jobs import lifecycle


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
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0, 2))
@click.option("--max-new-tokens", default=128, show_default=True, type=click.IntRange(1, 4096))
@in_project
@as_json
def ask(
    prompt: str,
    wanted: tuple[str, ...],
    temperature: float,
    max_new_tokens: int,
    project: str | None,
    as_json: bool,
) -> None:
    """Send one PROMPT to one or more models and print their answers."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = {
            "models": [common.model_id(ws, chosen.id, m) for m in wanted],
            "prompt": prompt,
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
        }
        recipe = read(plugins.load("jobs", "play").Recipe, values)
        with working(ws):
            job = wait(ws, lifecycle.submit(ws, LOCAL, chosen.id, recipe, "Question"))
        answers = list(job.result_as(PlayResult).answers.values())
        text = "\n\n".join(f"{m}: {a.text}" for m, a in zip(wanted, answers, strict=True))
        show(job.result, text, as_json)
