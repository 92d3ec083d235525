"""Scores of slices of the rows: short and long questions, languages, groups."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.core.evaluation import FEW_ROWS
from engine.core.evaluation_sentences import of_slice
from engine.stats.intervals import mean_interval


class Slice(BaseModel):
    """The mean of one slice's scores and its 95 % interval; `n` scored rows, `failed` others."""

    model_config = ConfigDict(frozen=True)

    name: str
    n: int
    failed: int
    mean: float | None
    low: float
    high: float
    enough: bool
    sentence: str


def by_slice(
    each: Sequence[float | None],
    names: Sequence[str | None],
    level: float = 0.95,
    order: Sequence[str] = (),
) -> tuple[Slice, ...]:
    """One Slice for each name; rows named None are in none.

    Names stand in `order`, those that it lacks in the order of their first rows.

    `each` holds a score in [0, 1] for each row, None where the answer failed. UserError when the
    row counts differ.
    """
    if len(each) != len(names):
        raise UserError(
            f"There are {len(each)} scores but {len(names)} rows.", "Name the part of each row."
        )
    rows: dict[str, list[float | None]] = {name: [] for name in order if name in names}
    for score, name in zip(each, names, strict=True):
        if name is not None:
            rows.setdefault(name, []).append(score)
    return tuple(_slice(name, scores, level) for name, scores in rows.items())


def thirds(sizes: Sequence[float], unit: str = "characters") -> tuple[str, ...]:
    """The name of each row's third by size, with its bounds; fewer names where sizes repeat.

    Equal sizes are always in one slice.
    """
    if len(sizes) == 0:
        return ()
    values = np.asarray(sizes, dtype=float)
    cuts = np.quantile(values, [1 / 3, 2 / 3], method="lower")
    part = (values[:, None] > cuts).sum(axis=1)
    names = {}
    for number, word in enumerate(("short", "middle", "long")):
        inside = values[part == number]
        if len(inside):
            names[number] = f"{word} ({_span(inside.min(), inside.max())} {unit})"
    return tuple(names[int(number)] for number in part)


def by_size(sizes: Sequence[float], slice_of_row: Sequence[str]) -> tuple[str, ...]:
    """Each name of `thirds` once, the one of the smallest sizes first."""
    return tuple(dict.fromkeys(name for _, name in sorted(zip(sizes, slice_of_row, strict=True))))


def _span(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def _slice(name: str, scores: Sequence[float | None], level: float) -> Slice:
    known = [score for score in scores if score is not None]
    n, failed = len(known), len(scores) - len(known)
    mean = float(np.mean(known)) if known else None
    low, high = mean_interval(known, level) if known else (0.0, 1.0)
    return Slice(
        name=name, n=n, failed=failed, mean=mean, low=low, high=high, enough=n >= FEW_ROWS,
        sentence=of_slice(mean, low, high, n, failed, level),
    )  # fmt: skip
