"""Pairs without a difference."""

from collections.abc import Sequence

from engine.checks.shared import finding
from engine.core.examples import Example, Preference
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Pairs whose two answers differ in nothing but white space."""
    return finding(
        "chosen_equals_rejected",
        "error",
        [e.source_row for e in examples if _same(e)],
        "with the same text as chosen and as rejected",
        "Remove them: there is nothing to prefer.",
        fix_id="drop_equal_pairs",
    )


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes pairs whose two answers say the same."""
    return [e for e in examples if not _same(e)]


def _same(example: Example) -> bool:
    if not isinstance(example, Preference):
        return False
    return example.chosen.split() == example.rejected.split()
