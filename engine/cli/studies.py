"""training curve and training sweep: one recipe, trained many times."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import JsonValue

from engine.cli import common
from engine.cli.common import as_json, in_project, workspace
from engine.cli.training import start_job, training, values_of
from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.core.yaml_values import read_yaml

FILE = click.Path(path_type=Path)
changed = click.option(
    "--set", "changes", multiple=True, help="Override a field of the recipe: FIELD=VALUE."
)
named = click.option("--name", default="", help="Name of the job.")
queued = click.option("--no-wait", is_flag=True, help="Queue the job and return at once.")
steps = click.option("--max-steps", type=int, help="Training steps of each run.")


@training.command()
@click.argument("recipe", type=FILE)
@in_project
@changed
@click.option("--shares", help="Fractions of the training rows, such as 0.1,0.25,0.5,1.")
@click.option("--seeds", type=int, help="Training runs (seeds) at each fraction.")
@steps
@named
@queued
@as_json
def curve(
    recipe: Path,
    project: str | None,
    changes: tuple[str, ...],
    shares: str | None,
    seeds: int | None,
    max_steps: int | None,
    name: str,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Draw a learning curve: train on fractions of the data to see whether more data helps."""
    own = {"shares": _list(shares) if shares else None, "seeds": seeds}
    values = _study(values_of(recipe, changes), max_steps, own)
    with workspace() as ws:
        chosen = common.project(ws, project)
        start_job(ws, chosen.id, "curve", values, name, no_wait=no_wait, as_json=as_json)


@training.command()
@click.argument("recipe", type=FILE)
@in_project
@changed
@click.option(
    "--try",
    "tries",
    multiple=True,
    help="Search range: FIELD=LOW..HIGH, FIELD=LOW..HIGH:log or FIELD=A,B,C.",
)
@click.option("--trials", type=int, help="Number of trials.")
@steps
@named
@queued
@as_json
def sweep(
    recipe: Path,
    project: str | None,
    changes: tuple[str, ...],
    tries: tuple[str, ...],
    trials: int | None,
    max_steps: int | None,
    name: str,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Search hyperparameters around RECIPE; the best trial becomes a model."""
    space = dict(map(_space, tries)) or None
    values = _study(values_of(recipe, changes), max_steps, {"space": space, "n_trials": trials})
    with workspace() as ws:
        chosen = common.project(ws, project)
        start_job(ws, chosen.id, "sweep", values, name, no_wait=no_wait, as_json=as_json)


def _study(values: JsonObject, max_steps: int | None, own: Mapping[str, JsonValue]) -> JsonObject:
    """A training recipe's values as those of a job that trains so many times."""
    settings = dict(values)
    study: JsonObject = {
        name: settings.pop(name) for name in ("model", "dataset") if name in settings
    }
    study["method"] = str(settings.pop("kind", "sft"))
    study["max_steps"] = max_steps or settings.pop("max_steps", None)
    settings.pop("max_steps", None)
    study |= {"settings": settings, **own}
    return {name: value for name, value in study.items() if value is not None}


def _space(text: str) -> tuple[str, Any]:
    name, found, among = text.partition("=")
    if not found or not among:
        raise UserError(f"--try {text!r} has no '='.", "Write FIELD=LOW..HIGH or FIELD=A,B,C.")
    low, is_range, rest = among.partition("..")
    if not is_range:
        return name, _list(among)
    high, _, scale = rest.partition(":")
    return name, {"low": _number(low), "high": _number(high), "log": scale == "log"}


def _list(text: str) -> list[Any]:
    return [read_yaml(each) for each in text.split(",")]


def _number(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{text!r} is no number.", "Write FIELD=LOW..HIGH.") from None
