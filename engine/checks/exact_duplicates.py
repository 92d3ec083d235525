"""Rows that say what an earlier row said."""

from collections.abc import Sequence

from engine.checks.parts import finding
from engine.core.examples import Example
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows equal to an earlier one in every letter; the first of each kind is not counted."""
    seen: set[str] = set()
    repeats = []
    for example in examples:
        content = example.model_dump_json(exclude={"source_row", "group"})
        if content in seen:
            repeats.append(example.source_row)
        seen.add(content)
    return finding(
        "exact_duplicates",
        "warning",
        repeats,
        "repeating an earlier row word for word",
        "Remove them: a repeated row weighs twice in training.",
    )
