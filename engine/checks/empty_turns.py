"""Turns and answers with nothing in them."""

from collections.abc import Iterable, Sequence

from engine.checks.parts import answers_of, asked_of, finding
from engine.core.examples import Example
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows with an empty answer, and apart from them rows with another empty turn."""
    answers = [e.source_row for e in examples if _any_blank(answers_of(e))]
    turns = [e.source_row for e in examples if _any_blank(t.content for t in asked_of(e))]
    return [
        *finding(
            "empty_answers",
            "error",
            answers,
            "with an empty answer",
            "Fill in the answer or remove the row: the model would learn to say nothing.",
        ),
        *finding(
            "empty_turns",
            "warning",
            turns,
            "with an empty turn before the answer",
            "Fill in the turn or remove it.",
        ),
    ]


def _any_blank(texts: Iterable[str]) -> bool:
    return any(not text.strip() for text in texts)
