"""api, api keys, api feedback: OpenAI's protocol over the models of a project."""

import os
import sys
from typing import Any

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.core.actor import LOCAL
from engine.core.errors import NotFound
from engine.services import feedback as services
from engine.services.models import api_process
from engine.services.models.api_lock import STARTED_BY
from engine.services.people import api_keys
from engine.services.people.api_keys import ApiKey


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7870, show_default=True, type=click.IntRange(1, 65535),
              help="Port to listen on.")  # fmt: skip
@click.option("--most-bases", default=2, show_default=True, type=click.IntRange(1, 64),
              help="Base models kept in memory at once.")  # fmt: skip
@click.pass_context
def api(context: click.Context, host: str, port: int, most_bases: int) -> None:
    """Serve models, trainings and feedback in OpenAI's protocol; without a subcommand, start it.

    A key is needed unless the address is on this machine alone and no account exists.
    """
    if context.invoked_subcommand:
        return
    arguments = [sys.executable, "-m", "engine.api", host, str(port),
                 "--most-bases", str(most_bases)]  # fmt: skip
    os.execv(sys.executable, arguments)


@api.command()
@as_json
def status(as_json: bool) -> None:
    """Say whether the API of this data folder runs, where, and who started it."""
    with workspace() as ws:
        process = api_process.look(ws, LOCAL)
    text = {"off": "Nothing is served.", "failed": f"The API has ended by itself.\n{process.log}"}
    by = STARTED_BY[process.started_by] if process.started_by else ""
    running = f"The API is {process.state} at {process.address}, started {by}."
    show(process, text.get(process.state, running), as_json)


@api.group()
def keys() -> None:
    """Make and close the keys with which programs ask."""


@keys.command("list")
@in_project
@as_json
def list_(project: str | None, as_json: bool) -> None:
    """List the keys of a project, the newest first."""
    with workspace() as ws:
        found = api_keys.list_all(ws, LOCAL, common.project(ws, project).id)
        lines = [f"{one.name:30} {one.status:7} {_keeps(one)}" for one in found]
        show({"keys": found}, "\n".join(lines) or "No key yet.", as_json)


@keys.command("add")
@click.argument("name")
@click.option("--keep-texts", is_flag=True,
              help="Keep its prompts and answers (newest 10,000) for feedback.")  # fmt: skip
@click.option("--requests", default=api_keys.PER_MINUTE, show_default=True,
              type=click.IntRange(1, api_keys.MOST_PER_MINUTE),
              help="Requests a minute.")  # fmt: skip
@in_project
@as_json
def add(name: str, keep_texts: bool, requests: int, project: str | None, as_json: bool) -> None:
    """Make a key called NAME; it is shown once."""
    with workspace() as ws:
        chosen = common.project(ws, project, make=True)
        made, token = api_keys.make(
            ws, LOCAL, chosen.id, name, captures=keep_texts, requests_per_minute=requests
        )
        show({**made.model_dump(), "token": token}, f"{token}\nIt is shown this once.", as_json)


@keys.command("close")
@click.argument("name")
@in_project
@as_json
def close(name: str, project: str | None, as_json: bool) -> None:
    """Close the key called NAME; it opens nothing any more."""
    with workspace() as ws:
        for one in api_keys.list_all(ws, LOCAL, common.project(ws, project).id):
            if one.status == "open" and name in (one.name, one.id):
                closed = api_keys.close(ws, LOCAL, one.id)
                show(closed, f"{closed.name} is closed.", as_json)
                return
        raise NotFound(f"There is no open key {name!r}.", "See the list: tuneloop api keys list")


@api.command()
@in_project
@click.option("--to-data", "rows_as", type=click.Choice(["pairs", "thumbs", "prompts"]),
              help="Make a dataset version of what was said, or of the prompts.")  # fmt: skip
@as_json
def feedback(project: str | None, rows_as: Any, as_json: bool) -> None:
    """Show what people said about answers of the API, by model; none of it is blind."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        if rows_as:
            made = services.to_dataset(ws, LOCAL, chosen.id, rows_as)
            show(made, f"{made.label}: {made.rows} rows", as_json)
            return
        report = services.report(ws, LOCAL, chosen.id)
        lines = [_line(one) for one in report.models]
        show(report, "\n".join([report.sentence, *lines]), as_json)


def _keeps(one: ApiKey) -> str:
    kept = "keeps texts" if one.captures else "keeps no texts"
    return f"{kept}, {one.requests_per_minute} requests a minute, of {one.created_by}"


def _line(one: services.ModelFeedback) -> str:
    if one.share_up is None or one.low is None or one.high is None:
        return f"{one.name}: {one.answers} answers, no thumb yet"
    return (
        f"{one.name}: {one.up} of {one.up + one.down} thumbs up ({100 * one.low:.0f} to "
        f"{100 * one.high:.0f} %), {one.corrections} corrections"
    )
