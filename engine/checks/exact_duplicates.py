"""Rows that say what an earlier row said."""

from collections.abc import Sequence

from engine.checks.shared import finding
from engine.core.examples import Example
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows equal to an earlier one in every letter; the first of each kind is not counted."""
    return finding(
        "exact_duplicates",
        "warning",
        [examples[n].source_row for n in _repeats(examples)],
        "repeating an earlier row word for word",
        "Remove them: a repeated row weighs twice in training.",
        fix_id="drop_exact_duplicates",
    )


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes rows that repeat an earlier row word for word."""
    repeats = _repeats(examples)
    return [e for n, e in enumerate(examples) if n not in repeats]


def _repeats(examples: Sequence[Example]) -> set[int]:
    seen: set[str] = set()
    repeats = set()
    for n, example in enumerate(examples):
        content = example.model_dump_json(exclude={"source_row", "group"})
        if content in seen:
            repeats.add(n)
        seen.add(content)
    return repeats
