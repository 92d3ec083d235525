"""Votes from a CSV file, as `tuneloop rating` reads them."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TextIO, get_args

from engine.core.errors import NotFound, UserError
from engine.core.rating import Choice
from engine.stats.rated_pairs import RatedPair

MOST_BYTES = 200_000_000
MOST_ROWS = 1_000_000
NEEDED = ("rater", "model_left", "model_right", "choice")
CHOICES: dict[str, Choice] = {name: name for name in get_args(Choice)}
Row = dict[str, str]


def columns(path: Path) -> set[str]:
    """The names of the columns, empty for an empty file; raises as `rows` does."""
    with _opened(path) as file:
        return {name.strip() for name in next(csv.reader(file), [])}


def rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Each row with the number of the line it ends on; a missing cell is an empty text.

    NotFound without the file; UserError for a file that is no CSV in UTF-8, or too large.
    """
    with _opened(path) as file:
        reader = csv.reader(file, strict=True)
        names = [name.strip() for name in next(reader, [])]
        for count, cells in enumerate(reader):
            if count == MOST_ROWS:
                raise UserError(f"{path.name} has more than {MOST_ROWS:,} rows.", "Split it.")
            if cells:
                padded = [*cells, *[""] * len(names)]
                yield reader.line_num, dict(zip(names, map(str.strip, padded), strict=False))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path.name} is larger than 200 MB.", "Split it.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", "Check the name.") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path.name} is not a CSV file in UTF-8.", "Save it so.") from None


def read(path: Path) -> list[RatedPair]:
    """The votes of a file, in its order; UserError names the line that is not a vote."""
    known = columns(path)
    missing = [name for name in NEEDED if name not in known]
    if not {"prompt", "item"} & known:
        missing.insert(0, "prompt")
    if missing:
        raise UserError(
            f"{path.name} has no column {', '.join(missing)}.",
            "It needs prompt, rater, model_left, model_right and choice.",
        )
    found = [_ballot(path, line, row) for line, row in rows(path)]
    if not found:
        raise UserError(f"{path.name} holds no vote.", "Add a line for each vote.")
    return found


def _ballot(path: Path, line: int, row: Row) -> RatedPair:
    where, prompt = f"Line {line} of {path.name}", row.get("prompt") or row.get("item", "")
    if not (prompt and row["rater"] and row["model_left"] and row["model_right"]):
        raise UserError(f"{where} is not whole.", "Give prompt, rater and both models.")
    return RatedPair(
        prompt, row["rater"], row["model_left"], row["model_right"],
        _choice(where, row["choice"]),
        _length(where, row.get("left_len", "")), _length(where, row.get("right_len", "")),
        _choice(where, row["expected"]) if row.get("expected") else None,
    )  # fmt: skip


def _choice(where: str, text: str) -> Choice:
    if text in CHOICES:
        return CHOICES[text]
    raise UserError(f"{where} has the choice {text[:40]!r}.", "Known: left, right, tie, both_bad.")


def _length(where: str, text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not isfinite(number) or number < 0:
        raise UserError(f"{where} has the length {text[:40]!r}.", "Give a number from 0 up.")
    return number
