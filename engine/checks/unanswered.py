"""Conversations that stop before the answer, or that nobody asked anything in."""

from collections.abc import Sequence

from engine.checks.shared import asked_of, finding
from engine.core.examples import Chat, Example, Text
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows whose last turn is not the assistant's, and rows without a turn of the user."""
    unanswered = [e for e in examples if _is_unanswered(e)]
    return [
        *finding(
            "unanswered",
            "warning" if all(map(_up_to_last_answer, unanswered)) else "error",
            [e.source_row for e in unanswered],
            "whose last turn is not an answer of the assistant",
            "Cut what follows the last answer, add the answer, or remove the row.",
            fix_id="cut_after_last_answer",
        ),
        *finding(
            "nothing_asked",
            "warning",
            [e.source_row for e in examples if _has_nothing_asked(e)],
            "in which the user says nothing",
            "Add what was asked, or give the answers as plain text.",
            fix_id="drop_nothing_asked",
        ),
    ]


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes conversations that stop before the assistant's answer."""
    return [e for e in examples if not _is_unanswered(e)]


def cut(examples: Sequence[Example]) -> list[Example]:
    """Cuts the turns after the last answer and keeps what comes before; removes unanswered rows."""
    return [kept for e in examples if (kept := _up_to_last_answer(e) if _is_unanswered(e) else e)]


def _up_to_last_answer(example: Example) -> Example | None:
    """The conversation up to its last answer; None where nothing is answered."""
    if not isinstance(example, Chat):
        return example
    answered = [n for n, turn in enumerate(example.messages) if turn.role == "assistant" and n]
    if not answered:
        return None
    return example.model_copy(update={"messages": example.messages[: answered[-1] + 1]})


def drop_nothing_asked(examples: Sequence[Example]) -> list[Example]:
    """Removes conversations in which the user says nothing."""
    return [e for e in examples if not _has_nothing_asked(e)]


def _is_unanswered(example: Example) -> bool:
    return isinstance(example, Chat) and example.messages[-1].role != "assistant"


def _has_nothing_asked(example: Example) -> bool:
    if isinstance(example, Text):
        return False
    return not any(turn.role == "user" for turn in asked_of(example))
