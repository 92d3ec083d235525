"""Pairs without a difference."""

from collections.abc import Sequence

from engine.checks.parts import finding
from engine.core.examples import Example, Preference
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Pairs whose two answers differ in nothing but white space."""
    return finding(
        "chosen_equals_rejected",
        "error",
        [e.source_row for e in examples if isinstance(e, Preference) and _same(e)],
        "with the same text as chosen and as rejected",
        "Remove them: there is nothing to prefer.",
    )


def _same(pair: Preference) -> bool:
    return pair.chosen.split() == pair.rejected.split()
