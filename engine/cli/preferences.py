"""preferences export | rules | contested | again."""

from pathlib import Path
from typing import Any

import click
import yaml

from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.core.recipe import read
from engine.core.shortened import shortened
from engine.core.yaml_values import read_yaml
from engine.files import write_atomic
from engine.services.preferences import build as pair_service
from engine.services.preferences import contested as contested_service
from engine.services.preferences import export as export_service
from engine.services.preferences.build import FIXED, REASONS, WORDS, PairExport
from engine.services.preferences.export import ROWS
from engine.services.preferences.manifest import PairManifest
from engine.services.preferences.rules import Rules

SHORT = 60  # characters of a text in a list


@click.group()
def preferences() -> None:
    """Turn votes into rows to train on: preference pairs, rated answers, accepted answers."""


@preferences.command()
@in_project
@click.option(
    "--round", "rounds", multiple=True, help="Round to use; repeat it for several. All by default."
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write the pairs as JSONL.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(list(ROWS)),
    default="trl",
    show_default=True,
    help="trl and openai contain pairs; kto single answers, good or bad; sft the answers that "
    "raters improved or called acceptable.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="RULE=VALUE",
    help="Change a rule; see `preferences rules`.",
)
@as_json
def export(
    project: str | None,
    rounds: tuple[str, ...],
    out: Path | None,
    fmt: str,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Build a dataset version from votes, and report what was left out and why."""
    rules = _rules(settings)
    with workspace() as ws:
        chosen = common.project(ws, project)
        made = pair_service.make(ws, LOCAL, chosen.id, list(rounds) or None, rules, ROWS[fmt])
        about = pair_service.about(ws, LOCAL, made.id)
        if out:
            written = export_service.files(ws, LOCAL, made.id, fmt)
            write_atomic(out, written.rows)
            write_atomic(out.with_name(f"{out.name}.manifest.json"), written.manifest)
        show({**made.model_dump(mode="json"), "about": about}, _sentence(made, about), as_json)


@preferences.command()
@as_json
def rules(as_json: bool) -> None:
    """Show the rules that turn votes into pairs, and which of them can be set."""
    fields = Rules.model_fields.items()
    lines = [f"{name}={Rules().model_dump()[name]}  {field.description}" for name, field in fields]
    fixed = [f"{name}: {value}" for name, value in FIXED.items()]
    why = [f"- {words}" for words in REASONS.values()]
    text = ["Fixed:", *fixed, "", "May be set:", *lines, "", "Left out and counted: pairs", *why]
    found = {"fixed": FIXED, "rules": Rules().model_dump(mode="json"), "reasons": REASONS}
    show(found, "\n".join(text), as_json)


@preferences.command()
@in_project
@click.option(
    "--round", "rounds", multiple=True, help="Round to use; repeat it for several. All by default."
)
@as_json
def contested(project: str | None, rounds: tuple[str, ...], as_json: bool) -> None:
    """List comparisons on which raters disagree; `preferences again` asks two more raters."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        pairs = contested_service.contested(ws, LOCAL, chosen.id, list(rounds) or None)
        lines = [
            f"{one.for_first} : {one.for_second} (undecided {one.undecided})  "
            f"{_short(one.prompt[-1].content)}\n    {_short(one.first)}\n    {_short(one.second)}"
            for one in pairs
        ]
        show(
            [one._asdict() for one in pairs],
            "\n".join(lines) or "Raters agree on every pair.",
            as_json,
        )


@preferences.command()
@click.argument("round_id", metavar="ROUND")
@as_json
def again(round_id: str, as_json: bool) -> None:
    """Open a round that asks two more raters about the contested comparisons of ROUND."""
    with workspace() as ws:
        made = contested_service.ask_again(ws, LOCAL, round_id)
        text = f"{made.name} is open with {made.plan.prompts} pairs: {made.id}"
        show(made, text, as_json)


def _rules(settings: tuple[str, ...]) -> Rules:
    values: JsonObject = {}
    for setting in settings:
        name, found, value = setting.partition("=")
        if not found:
            raise UserError(f"--set {setting!r} has no '='.", "Write RULE=VALUE.")
        values[name] = _value(setting, value)
    made = read(Rules, values)
    if not isinstance(made, Rules):
        raise TypeError(type(made))
    return made


def _value(setting: str, value: str) -> Any:
    try:
        return read_yaml(value)
    except yaml.YAMLError:
        raise UserError(f"--set {setting!r} is no value.", "Write RULE=VALUE.") from None


def _sentence(made: PairExport, about: PairManifest) -> str:
    left = ", ".join(f"{n} {why}" for why, n in made.counts.items() if n and why != "votes")
    what, votes = WORDS[made.rows], made.counts["votes"]
    first = f"{made.pairs} {what} from {votes} votes; left out: {left or 'none'}."
    advice = about.get("suggestion")
    reasons = [advice["reason"]] if advice else []
    return "\n".join([first, *about.get("warnings", []), *reasons])


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), SHORT)
