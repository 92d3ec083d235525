"""Whether raters agree: Krippendorff's alpha, raw agreement and the noise it implies."""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import isfinite
from typing import Literal, get_args

import krippendorff
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Value = str | int | float
Vote = tuple[Hashable, Hashable, Value]  # item, rater, value
LARGEST = 50_000_000  # items x values x values: what the library holds at once


class Agreement(BaseModel):
    """`items` were rated by two or more; `values` are their ratings.

    `raw` is the share of rater pairs that agree; `noise` the share of votes that are flipped where
    two raters with equal and independent noise agree that often (None at 0.5 or below).
    """

    model_config = ConfigDict(frozen=True)

    alpha: float | None
    raters: int
    items: int
    values: int
    raw: float | None
    noise: float | None
    sentence: str


def agreement(rows: Sequence[Vote], level: Level = "nominal") -> Agreement:
    """How far raters agree on the items that two or more of them rated.

    Alpha is None where nothing can be compared, or where everybody gave one and the same value.
    UserError for an unknown level, for a value that is no number on a level other than nominal,
    and where a rater rated an item twice. Source: Krippendorff 2011, "Computing alpha-reliability".
    """
    _check(rows, level)
    counts = _paired_counts(rows, level)
    table = _table(counts)
    raw = _raw(table)
    alpha = _alpha(table, counts, level)
    noise = _noise(raw)
    return Agreement(
        alpha=alpha,
        raters=len({rater for _, rater, _ in rows}),
        items=len(counts),
        values=int(table.sum()),
        raw=raw,
        noise=noise,
        sentence=_sentence(alpha, raw, noise, len(counts)),
    )


def _check(rows: Sequence[Vote], level: str) -> None:
    if level not in get_args(Level):
        raise UserError(f"There is no level {level!r}.", f"Known: {', '.join(get_args(Level))}.")
    seen = Counter((item, rater) for item, rater, _ in rows)
    for (item, rater), times in seen.items():
        if times > 1:
            raise UserError(f"Rater {rater!r} rated item {item!r} twice.", "Keep one value.")


def _paired_counts(rows: Sequence[Vote], level: Level) -> list[Counter[Value]]:
    """Value counts of each item that two or more raters rated."""
    items: dict[Hashable, Counter[Value]] = {}
    for item, _, value in rows:
        coded = str(value) if level == "nominal" else _number(value, item, level)
        items.setdefault(item, Counter())[coded] += 1
    return [counts for counts in items.values() if counts.total() >= 2]


def _number(value: Value, item: Hashable, level: Level) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or (level == "ratio" and number < 0):
        kind = "number from 0 up" if level == "ratio" else "number"
        raise UserError(
            f"Item {item!r} has the value {value!r}, which is no {kind}.",
            f"Correct it, or choose another level than {level}.",
        )
    return number


def _domain(counts: list[Counter[Value]]) -> list[Value]:
    # of one type, so they sort: text on the nominal level, numbers on all others
    return sorted({value for item in counts for value in item})


def _table(counts: list[Counter[Value]]) -> NDArray[np.int_]:
    """How many raters gave each value: (items, values), values in ascending order."""
    domain = _domain(counts)
    if len(counts) * len(domain) ** 2 > LARGEST:
        raise UserError(
            f"There are {len(domain):,} different values.", "Round them or group them first."
        )
    return np.array([[item[value] for value in domain] for item in counts], dtype=int)


def _raw(table: NDArray[np.int_]) -> float | None:
    if not table.size:
        return None
    raters = table.sum(axis=1)
    return float((table * (table - 1)).sum() / (raters * (raters - 1)).sum())


def _alpha(table: NDArray[np.int_], counts: list[Counter[Value]], level: Level) -> float | None:
    if not table.size or table.shape[1] < 2:
        return None
    domain = None if level == "nominal" else _domain(counts)
    return float(krippendorff.alpha(None, table, domain, level))


def _noise(raw: float | None) -> float | None:
    """Solves raw = (1 - noise)^2 + noise^2 for the smaller noise."""
    if raw is None or raw <= 0.5:
        return None
    return float((1 - (2 * raw - 1) ** 0.5) / 2)


def _sentence(alpha: float | None, raw: float | None, noise: float | None, items: int) -> str:
    if raw is None:
        return "No item was rated by two people, so agreement cannot be measured."
    pairs = (
        f"two raters agree on {raw * 100:.0f} % ({items} shared item{'s' if items != 1 else ''})"
    )
    if alpha is None:
        return f"Everybody gave the same value, so alpha is undefined: {pairs}."
    noisy = (
        "no better than guessing"
        if noise is None
        else f"about {noise * 100:.0f} % of votes flipped"
    )
    return f"Agreement is {_grade(alpha)}: alpha {alpha:.2f}, {pairs}, {noisy}."


def _grade(alpha: float) -> str:
    """Krippendorff's own reading of his coefficient."""
    if alpha >= 0.8:
        return "reliable"
    return "tentative" if alpha >= 0.667 else "low"
