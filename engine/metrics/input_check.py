"""The one check every metric makes of its input."""

from collections.abc import Sequence

from engine.core.errors import UserError

References = Sequence[Sequence[str]]


def check(predictions: Sequence[str], references: References) -> None:
    """Raise UserError unless there are rows, as many references, and at least one in each row."""
    if len(predictions) != len(references):
        raise UserError(
            f"There are {len(predictions)} predictions but {len(references)} rows of references.",
            "Give one list of references for each prediction.",
        )
    if not predictions:
        raise UserError("There is no prediction to score.", "Evaluate at least one row.")
    for number, accepted in enumerate(references, start=1):
        if isinstance(accepted, str) or not accepted:
            raise UserError(
                f"Row {number} has no list of references.", "Give it at least one accepted answer."
            )
