"""Rows that say nearly what an earlier row said, as core/near_duplicates.py decides."""

from collections.abc import Sequence

from engine.checks.shared import finding
from engine.core.examples import Example
from engine.core.finding import Finding
from engine.core.near_duplicates import MOST, alike


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows nearly equal to an earlier one that stays; word-for-word repeats are not counted."""
    if len(examples) > MOST:
        return [
            Finding(
                id="near_duplicates_unknown",
                severity="info",
                count=len(examples),
                message=f"Near copies were not checked: there are more than {MOST:,} rows.",
                hint="Split the file, or keep copies apart with a group column.",
            )
        ]
    return finding(
        "near_duplicates",
        "warning",
        [examples[n].source_row for n in _repeats(examples)],
        "saying nearly the same as an earlier row",
        "Remove them: near copies get too much weight in training.",
        fix_id="drop_near_duplicates",
    )


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes rows that say nearly the same as an earlier row, which stays."""
    kept = list(examples)
    # what counts as boilerplate changes as rows leave, so copies may come to light
    while len(kept) <= MOST and (repeats := _repeats(kept)):
        kept = [e for n, e in enumerate(kept) if n not in repeats]
    return kept


def _repeats(examples: Sequence[Example]) -> set[int]:
    groups, near = alike(examples)
    stays: set[int] = set()
    repeats: set[int] = set()
    for number, rows in enumerate(groups):
        if near[number] & stays:
            repeats.update(rows)
            continue
        stays.add(number)
        first = _content(examples[rows[0]])
        repeats.update(n for n in rows[1:] if _content(examples[n]) != first)
    return repeats


def _content(example: Example) -> Example:
    return example.model_copy(update={"source_row": 0, "group": None})
