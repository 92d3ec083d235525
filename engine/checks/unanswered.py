"""Conversations that stop before the answer, or that nobody asked anything in."""

from collections.abc import Sequence

from engine.checks.parts import asked_of, finding
from engine.core.examples import Chat, Example, Text
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows whose last turn is not the assistant's, and rows without a turn of the user."""
    return [
        *finding(
            "unanswered",
            "error",
            [e.source_row for e in examples if _is_unanswered(e)],
            "whose last turn is not an answer of the assistant",
            "Add the answer or remove the row: there is nothing to learn in it.",
            fix_id="drop_unanswered",
        ),
        *finding(
            "nothing_asked",
            "warning",
            [e.source_row for e in examples if _asks_nobody(e)],
            "in which the user says nothing",
            "Add what was asked, or give the answers as plain text.",
            fix_id="drop_nothing_asked",
        ),
    ]


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes conversations that stop before the assistant's answer."""
    return [e for e in examples if not _is_unanswered(e)]


def drop_unasked(examples: Sequence[Example]) -> list[Example]:
    """Removes conversations in which the user says nothing."""
    return [e for e in examples if not _asks_nobody(e)]


def _is_unanswered(example: Example) -> bool:
    return isinstance(example, Chat) and example.messages[-1].role != "assistant"


def _asks_nobody(example: Example) -> bool:
    if isinstance(example, Text):
        return False
    return not any(turn.role == "user" for turn in asked_of(example))
