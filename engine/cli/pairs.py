"""pairs export."""

from pathlib import Path

import click

from engine.cli import common
from engine.cli.common import as_json, in_project, show, workspace
from engine.core.actor import LOCAL
from engine.core.examples import Preference
from engine.files import write_whole
from engine.services import datasets
from engine.services.rating import pairs as pair_service
from engine.store.rows import to_json


@click.group()
def pairs() -> None:
    """Turn votes into preference pairs."""


@pairs.command()
@in_project
@click.option("--round", "rounds", multiple=True, help="Only these rounds; all by default.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the pairs as JSONL.")
@as_json
def export(project: str | None, rounds: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Make a dataset version of the votes, and say what was left out and why."""
    with workspace() as ws:
        chosen = common.project(ws, project)
        made = pair_service.make(ws, LOCAL, chosen.id, list(rounds) or None)
        if out:
            rows = datasets.rows(ws, LOCAL, made.dataset_id)
            lines = [_line(row.example) for row in rows if isinstance(row.example, Preference)]
            write_whole(out, ("\n".join(lines) + "\n").encode())
        left = ", ".join(f"{n} {why}" for why, n in made.counts.items() if n and why != "votes")
        text = f"{made.pairs} pairs from {made.counts['votes']} votes; left out: {left or 'none'}."
        show(made, text, as_json)


def _line(pair: Preference) -> str:
    return to_json(
        {
            "prompt": [m.model_dump() for m in pair.prompt],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
    )
