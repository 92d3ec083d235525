"""Turns and answers with nothing in them."""

from collections.abc import Iterable, Sequence

from engine.checks.shared import answers_of, asked_of, finding
from engine.core.examples import Example
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows with an empty answer, and apart from them rows with another empty turn."""
    answers = [e.source_row for e in examples if _says_nothing(e)]
    turns = [e.source_row for e in examples if _asks_nothing(e)]
    return [
        *finding(
            "empty_answers",
            "error",
            answers,
            "with an empty answer",
            "Fill in the answer or remove the row: the model would learn to give empty answers.",
            fix_id="drop_empty_turns",
        ),
        *finding(
            "empty_turns",
            "warning",
            turns,
            "with an empty turn before the answer",
            "Fill in the turn or remove it.",
            fix_id="drop_empty_turns",
        ),
    ]


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes rows with an empty answer or an empty turn before it."""
    return [e for e in examples if not _says_nothing(e) and not _asks_nothing(e)]


def _says_nothing(example: Example) -> bool:
    return _any_blank(answers_of(example))


def _asks_nothing(example: Example) -> bool:
    return _any_blank(turn.content for turn in asked_of(example))


def _any_blank(texts: Iterable[str]) -> bool:
    return any(not text.strip() for text in texts)
