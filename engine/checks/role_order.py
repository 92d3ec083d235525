"""Conversations whose speakers do not take turns, which many chat templates refuse."""

from collections.abc import Sequence
from itertools import pairwise

from engine.checks.shared import asked_of, finding
from engine.core.examples import Example, Prompt, Text
from engine.core.finding import Finding

FOLLOWS = {
    "start": {"system", "user"},
    "system": {"user"},
    "user": {"assistant"},
    "assistant": {"user", "tool"},
    "tool": {"assistant", "tool"},
}


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows in which a turn follows one that it cannot answer, such as two users in a row."""
    return finding(
        "role_order",
        "warning",
        [e.source_row for e in examples if not _in_order(e)],
        "with speakers out of order: perhaps system, then user and assistant by turns",
        "Join neighbouring turns of one speaker, and start with the user.",
        fix_id="drop_disordered_turns",
    )


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes conversations whose speakers are out of order."""
    return [e for e in examples if _in_order(e)]


def _in_order(example: Example) -> bool:
    if isinstance(example, Text):
        return True
    spoken = ["start", *(turn.role for turn in asked_of(example))]
    if not isinstance(example, Prompt):
        spoken.append("assistant")
    return all(b in FOLLOWS[a] for a, b in pairwise(spoken))
