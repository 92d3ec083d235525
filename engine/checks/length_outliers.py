"""Rows far longer than the others: they are cut in training and slow every batch they are in."""

from collections.abc import Sequence
from statistics import median

from engine.checks.shared import finding, texts_of
from engine.core.examples import Example
from engine.core.finding import Finding

TIMES = 8  # the middle length
LEAST = 2000  # characters, about 500 tokens: shorter rows fit whatever the others are


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows of more than 8 times the median length and at least 2,000 characters."""
    lengths = _lengths(examples)
    middle, limit = _limit(lengths)
    return finding(
        "length_outliers",
        "info",
        [e.source_row for e, n in zip(examples, lengths, strict=True) if n > limit],
        f"longer than {limit:,.0f} characters, where the middle row has {middle:,.0f}",
        "Look at the preview: rows beyond the maximum length are cut off.",
        fix_id="drop_length_outliers",
    )


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes rows far longer than the middle one, until none is left."""
    kept = list(zip(examples, _lengths(examples), strict=True))
    while True:
        _, limit = _limit([length for _, length in kept])
        fewer = [(example, length) for example, length in kept if length <= limit]
        if len(fewer) == len(kept):  # the middle moves as rows leave
            return [example for example, _ in kept]
        kept = fewer


def _lengths(examples: Sequence[Example]) -> list[int]:
    return [sum(map(len, texts_of(example))) for example in examples]


def _limit(lengths: Sequence[int]) -> tuple[float, float]:
    middle = median(lengths) if lengths else 0
    return middle, max(LEAST, TIMES * middle)
