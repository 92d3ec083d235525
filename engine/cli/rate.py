"""rate plan | verdict | agreement."""

import csv
from pathlib import Path

import click

from engine.cli.common import as_json, show
from engine.core.errors import UserError
from engine.stats import agreement as agreements
from engine.stats import power as powers
from engine.stats import preference


@click.group()
def rate() -> None:
    """Plan a blind round and weigh its votes."""


@rate.command()
@click.option("--win-rate", default=0.6, show_default=True, type=float, help="To be seen.")
@click.option("--power", default=0.8, show_default=True, type=float)
@click.option("--alpha", default=0.05, show_default=True, type=float)
@click.option("--tie-rate", default=0.0, show_default=True, type=float)
@as_json
def plan(win_rate: float, power: float, alpha: float, tie_rate: float, as_json: bool) -> None:
    """Say how many decisive votes show a true win rate."""
    found = powers.plan(win_rate, power, alpha, tie_rate)
    show(found, found.sentence, as_json)


@rate.command()
@click.option("--wins", required=True, type=click.IntRange(0))
@click.option("--losses", required=True, type=click.IntRange(0))
@click.option("--ties", default=0, show_default=True, type=click.IntRange(0))
@click.option("--both-bad", default=0, show_default=True, type=click.IntRange(0))
@click.option("--alpha", default=0.05, show_default=True, type=click.FloatRange(0.001, 0.5))
@as_json
def verdict(wins: int, losses: int, ties: int, both_bad: int, alpha: float, as_json: bool) -> None:
    """Weigh the votes of a finished blind round, one vote a prompt."""
    found = preference.verdict(wins, losses, ties, both_bad, alpha=alpha)
    show(found, found.sentence, as_json)


@rate.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--level",
    default="nominal",
    show_default=True,
    type=click.Choice(["nominal", "ordinal", "interval"]),
)
@as_json
def agreement(file: Path, level: str, as_json: bool) -> None:
    """Say how far raters agree: Krippendorff's alpha of a CSV with item, rater, value."""
    found = agreements.agreement(_votes(file), level)  # type: ignore[arg-type]
    show(found, found.sentence, as_json)


def _votes(path: Path) -> list[tuple[str, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"item", "rater", "value"} - set(reader.fieldnames or ())
            if missing:
                raise UserError(
                    f"{path.name} has no column {', '.join(sorted(missing))}.",
                    "It needs item, rater and value.",
                )
            return [_vote(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path.name} is not a CSV file in UTF-8.", "Save it so.") from None


def _vote(path: Path, line: int, row: dict[str, str | None]) -> tuple[str, str, str]:
    item, rater, value = row["item"], row["rater"], row["value"]
    if not item or not rater or value is None or not value.strip():
        raise UserError(f"Line {line} of {path.name} is not whole.", "Give item, rater and value.")
    return item, rater, value.strip()
