"""How the tables name the two answers of a comparison: `lo` and `hi`, which code calls A and B.

Rows of votes are never rewritten, so the names of 0.1.0 stay in them.
"""

from typing import Any

from engine.core.rating import Answer

STORED: dict[Answer, str] = {"a": "lo", "b": "hi"}
READ: dict[str, Answer] = {"lo": "a", "hi": "b"}


def from_details(details: dict[str, Any]) -> dict[str, Any]:
    """Stored details of a comparison as code has them: `answer` names the right one, if any."""
    known = details.get("answer")
    return {**details, "answer": READ[known]} if known in READ else details


def to_details(details: dict[str, Any]) -> dict[str, Any]:
    """The details as they are stored."""
    known = details.get("answer")
    return {**details, "answer": STORED[known]} if known in STORED else details
