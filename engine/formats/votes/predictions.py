"""The column `predicted` of a file: what a predictor says of each question, with votes or without.

It is read only where somebody asks for it, so a column of that name breaks no other reading.
"""

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.errors import RowError, UserError
from engine.core.imported_votes import VoteMapping, VoteRole
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.votes import cells, columns

PREDICTED = "predicted"
LARGEST = 1e9
SIDES: tuple[tuple[VoteRole, VoteRole], ...] = (
    ("left_model", "right_model"), ("model_a", "model_b"),
)  # fmt: skip


class Prediction(NamedTuple):
    """Of one row; `item` tells its question from others, as in a vote."""

    row: int
    item: str
    value: float


def predictions(rows: Sequence[NumberedRow], name: str) -> dict[int, float]:
    """The number of each row by the row's own; UserError names the first row without one."""
    column = _column(rows, name)
    return {number: _number(row.get(column), number, name) for number, row in rows}


def further_questions(
    rows: Sequence[NumberedRow],
    name: str,
    mapping: VoteMapping | None,
    models: frozenset[str],
) -> list[Prediction]:
    """The predictions of questions nobody voted on, in the order of the file.

    UserError for a file without rows, prompts or numbers, with votes, about other models, or with
    a question twice. `mapping` is that of the votes, whose columns this file may share.
    """
    if not rows:
        raise UserError(f"{name} holds no question.", "Add a row for each.")
    numbers = predictions(rows, name)
    found = columns.named(_names(rows), columns.NAMES) | _shared(rows, mapping)
    if "prompt" not in found:
        raise UserError(f"{name} has no column prompt.", "Name the question of each row.")
    seen: dict[str, Prediction] = {}
    for number, row in rows:
        _refuse_vote(row.get(found.get("choice", "")), number, name)
        _refuse_other_models(row, found, models, number, name)
        item = _item(row, found["prompt"], number, name)
        if item in seen:
            raise UserError(
                f"Rows {seen[item].row} and {number} of {name} have the same question.",
                "Leave one of them out.",
            )
        seen[item] = Prediction(number, item, numbers[number])
    return list(seen.values())


def _names(rows: Sequence[NumberedRow]) -> list[str]:
    return list(dict.fromkeys(key for _, row in rows for key in row))


def _column(rows: Sequence[NumberedRow], name: str) -> str:
    known = {columns.spelled(each): each for each in _names(rows)}
    if PREDICTED not in known:
        raise UserError(
            f"{name} has no column {PREDICTED}.",
            "Give each row a number: what a judge or a rule expects of --new on its question.",
        )
    return known[PREDICTED]


def _number(value: object, row: int, name: str) -> float:
    found = cells.number(value)
    if found is None:
        shown = "nothing" if value in (None, "") else repr(str(value)[:40])
        raise UserError(f"Row {row} of {name} has {shown} in {PREDICTED}.", "Give a finite number.")
    if abs(found) > LARGEST:  # its square would be no number any more
        raise UserError(
            f"Row {row} of {name} has {found:.3g} in {PREDICTED}.", "Give a number up to 1e9."
        )
    return found


def _shared(rows: Sequence[NumberedRow], mapping: VoteMapping | None) -> dict[VoteRole, str]:
    here = set(_names(rows))
    named = mapping.columns if mapping else {}
    return {role: column for role, column in named.items() if column in here}


def _refuse_vote(choice: object, row: int, name: str) -> None:
    if choice not in (None, ""):
        raise UserError(
            f"Row {row} of {name} holds a choice.", "Put rows with votes into the file of votes."
        )


def _refuse_other_models(
    row: dict[str, object], found: dict[VoteRole, str], models: frozenset[str], at: int, name: str
) -> None:
    for first, second in SIDES:
        if first in found and second in found:
            named = {cells.name_of(row.get(found[role])) for role in (first, second)}
            if named != models:
                raise UserError(
                    f"Row {at} of {name} is not about {' and '.join(sorted(models))}.",
                    "Leave rows about other models out.",
                )


def _item(row: dict[str, object], column: str, number: int, name: str) -> str:
    try:
        prompt = cells.prompt_of(row, column)
    except RowError as error:
        raise UserError(f"Row {number} of {name} {error}.", "Correct it.") from error
    if not prompt:
        raise UserError(f"Row {number} of {name} has no prompt.", "Name its question.")
    return cells.item_of(prompt, number)
