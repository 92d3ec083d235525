"""training estimate RECIPE: memory, time and cost before a training starts."""

from pathlib import Path

import click

from engine import plugins
from engine.advice import machine, size
from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.cli.training import changed, methods, training, values_of, with_ids
from engine.core.actor import LOCAL
from engine.core.errors import UserError, quoted
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe, read
from engine.core.training_estimate import Preflight, proposal_words
from engine.core.units import GB, memory_words
from engine.services.training import estimate as service

ANY = {"model": "default", "dataset": "none"}  # what a question of "what if" leaves open


@training.command("estimate")
@click.argument("recipe")
@in_project
@click.option(
    "--set", "changes", multiple=True, help="Override a field of the recipe: FIELD=VALUE."
)
@click.option("--parameters", default=None, help="Estimate for any model of this size, such as 7B.")
@click.option("--rows", default=1000, show_default=True, type=click.IntRange(1, 10**9),
              help="With --parameters: number of rows of max_length tokens.")  # fmt: skip
@click.option(
    "--memory-gb",
    type=click.FloatRange(0.1, 1e6),
    help="Memory of the machine to estimate for; this one by default.",
)
@click.option(
    "--usd-per-hour",
    default=0.0,
    type=click.FloatRange(0, 1000),
    help="Price of the machine per hour.",
)
@as_json
def estimate_training(
    recipe: str,
    project: str | None,
    changes: tuple[str, ...],
    parameters: str | None,
    rows: int,
    memory_gb: float | None,
    usd_per_hour: float,
    as_json: bool,
) -> None:
    """Estimate memory, time and cost of RECIPE, a YAML file or the name of a method.

    The exit code is 1 when the training cannot fit.
    """
    kind, values = _recipe(recipe, changes)
    memory = memory_gb * GB if memory_gb else None
    if parameters is not None:
        weights = size.number(parameters)
        asked = _read(kind, {**ANY, **values})
        found = service.what_if(LOCAL, asked, weights, rows, memory, usd_per_hour)
    else:
        found = _real(project, kind, values, memory, usd_per_hour)
    show(found, _text(found), as_json)
    if found.verdict == "impossible":
        raise SystemExit(1)


def _real(
    project: str | None, kind: str, values: JsonObject, memory: float | None, usd: float
) -> Preflight:
    with workspace() as ws:
        chosen = common.project(ws, project)
        asked = _read(kind, with_ids(ws, chosen.id, values))
        other = machine.of(memory) if memory else None
        return service.estimate(ws, LOCAL, chosen.id, asked, usd, other)


def _recipe(recipe: str, changes: tuple[str, ...]) -> tuple[str, JsonObject]:
    """The method and its settings."""
    known = methods()
    if recipe in known and not Path(recipe).exists():
        return recipe, changed({}, changes)
    values = values_of(Path(recipe), changes)
    kind = str(values.pop("kind", ""))
    if kind not in known:
        raise UserError(
            f"The recipe's kind is {quoted(kind or 'missing')}.",
            f"Set it to one of: {', '.join(known)}.",
        )
    return kind, values


def _read(kind: str, values: JsonObject) -> TrainRecipe:
    found = read(plugins.load("jobs", kind).Recipe, values)
    if not isinstance(found, TrainRecipe):
        raise UserError(f"{kind} is no training.", "Choose a training method.")
    return found


def _text(found: Preflight) -> str:
    words = {"ok": "It fits.", "tight": "It is tight.", "impossible": "It does not fit."}
    fits = found.memory_needed <= found.memory_here["usable"]
    answer = "It cannot start." if found.refused and fits else words[found.verdict]
    lines = [answer, found.sentence, *found.reasons]
    if found.proposal:
        lines.append(f"This would fit: {proposal_words(found.proposal)}.")
    parts = sorted(found.memory.items(), key=lambda part: -part[1])
    lines += [f"  {name:12} {memory_words(taken):>8}" for name, taken in parts]
    return "\n".join([*lines, *found.settings.values()])
