"""How the tables name the two answers of a comparison: `lo` and `hi`, which code calls A and B.

Rows of votes are never rewritten, so the names of 0.1.0 stay in them.
"""

from typing import TypedDict, cast

from engine.core.rating import Answer, ComparisonDetails

STORED: dict[Answer, str] = {"a": "lo", "b": "hi"}
READ: dict[str, Answer] = {"lo": "a", "hi": "b"}


class StoredDetails(TypedDict, total=False):
    """Details of a comparison in its row: `answer` is lo, hi, good or bad; the rest as in code."""

    answer: str


def from_details(details: StoredDetails) -> ComparisonDetails:
    """Stored details of a comparison as code has them: `answer` names the right one, if any."""
    known = details.get("answer")
    renamed = {**details, "answer": READ[known]} if known in READ else details
    return cast("ComparisonDetails", renamed)


def to_details(details: ComparisonDetails) -> StoredDetails:
    """The details as they are stored."""
    known = details.get("answer")
    if known == "a" or known == "b":
        return cast("StoredDetails", {**details, "answer": STORED[known]})
    return cast("StoredDetails", details)
