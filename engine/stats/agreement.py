"""Whether raters agree: Krippendorff's alpha, raw agreement and the noise it implies.

Cohen's and Fleiss's kappa and Gwet's AC1 are here too: 1 for full agreement, 0 for what chance
gives, and None where chance alone gives full agreement.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import combinations
from math import isfinite
from typing import Literal, get_args

import krippendorff
import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.stats.vote_noise import Split, VoteNoise, vote_noise

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Value = str | int | float
Vote = tuple[Hashable, Hashable, Value]  # item, rater, value
CHANCE = 0.0  # alpha of raters who agree as often as chance has it
LARGEST = 50_000_000  # items x values x values: what the library holds at once


class Agreement(BaseModel):
    """`items` were rated by two or more; `values` are their ratings.

    `raw` is the share of rater pairs that agree; `decided` the same of pairs of votes that both
    name a winner, on `decided_items` items. `noise` is the least share of votes with a winner that
    are flipped (`noise_rate` of `decided`); None where votes have more than two answers without
    the tie, or agree in one half or fewer. `ac1` is Gwet's coefficient, for votes that are nearly
    all alike. `majority_noise` is the share of items that a majority of three such raters gets
    wrong, at least. `flips` says how much more it may be where items differ in how hard they are.
    `fleiss` is Fleiss' kappa, None where items have different numbers of ratings.
    """

    model_config = ConfigDict(frozen=True)

    alpha: float | None
    raters: int
    items: int
    values: int
    raw: float | None
    noise: float | None
    sentence: str
    ac1: float | None = None
    majority_noise: float | None = None
    decided: float | None = None
    decided_items: int = 0
    flips: VoteNoise | None = None
    fleiss: float | None = None


class RaterPair(BaseModel):
    """Two raters over the `items` that both rated; `kappa` is Cohen's, `pi` is Scott's."""

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    items: int
    raw: float
    kappa: float | None
    pi: float | None = None


def agreement(
    rows: Sequence[Vote], level: Level = "nominal", tie: Value | None = None
) -> Agreement:
    """How far raters agree on the items that two or more of them rated.

    `tie` is the value that names no winner: raters who never contradict each other may differ in
    when they call a tie, so the noise comes from votes that both name one. Alpha is None where
    nothing can be compared, or where everybody gave one and the same value. UserError for an
    unknown level, for a value that is no number on a level other than nominal, and where a rater
    rated an item twice. Source: Krippendorff 2011, "Computing alpha-reliability".
    """
    _check(rows, level)
    counts = _paired_counts(rows, level)
    table = _table(counts)
    raw = _raw(table)
    alpha = _alpha(table, counts, level)
    decided = _table(_paired_counts([row for row in rows if tie is None or row[2] != tie], level))
    winners = _raw(decided) if decided.size and decided.shape[1] <= 2 else None
    noise = noise_rate(winners)
    flips = _flips(decided) if noise is not None else None
    return Agreement(
        alpha=alpha,
        raters=len({rater for _, rater, _ in rows}),
        items=len(counts),
        values=int(table.sum()),
        raw=raw,
        noise=noise,
        sentence=_sentence(alpha, raw, len(counts), _flipped(winners, flips, len(decided), tie)),
        ac1=ac1(table),
        majority_noise=None if noise is None else majority_noise(noise),
        decided=winners,
        decided_items=len(decided) if winners is not None else 0,
        flips=flips,
        fleiss=_fleiss(table),
    )


def _flips(decided: NDArray[np.int_]) -> VoteNoise | None:
    """The noise of items with one or two different answers."""
    table = np.pad(decided, ((0, 0), (0, 2 - decided.shape[1])))
    return vote_noise([Split(one, other) for one, other in table.tolist()])


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


def noise_rate(raw: float | None) -> float | None:
    """The share of votes that are flipped where `raw` of all rater pairs agree.

    Solves raw = (1 - noise)^2 + noise^2 for the smaller noise: raters with two answers who err
    equally often and independently. A lower bound: where items differ in how hard they are, the
    mean noise e is larger, as raw = 1 - 2 (mean(e) (1 - mean(e)) - var(e)). None at 0.5 or below,
    where votes say nothing.
    """
    if raw is None or raw <= 0.5:
        return None
    return float((1 - (2 * raw - 1) ** 0.5) / 2)


def majority_noise(noise: float, raters: int = 3) -> float:
    """How often the majority of an odd number of raters is wrong, each with this noise."""
    if raters < 1 or raters % 2 == 0 or not 0 <= noise <= 1:
        raise UserError(
            "A majority needs an odd number of raters and a noise of 0 to 1.", "Choose 1, 3 or 5."
        )
    return float(scipy.stats.binom.sf(raters // 2, raters, noise))


def _flipped(decided: float | None, flips: VoteNoise | None, items: int, tie: Value | None) -> str:
    """The noise in words; empty where votes do not tell it."""
    if decided is None or flips is None:
        return ""
    where = ""
    if tie is not None:
        where = (
            f"where both name a winner ({items} item{'s' if items != 1 else ''}) on "
            f"{decided * 100:.0f} %, "
        )
    least = f"{where}at least {flips.least * 100:.0f} % of votes flipped"
    if flips.shape is None:
        return least
    likely, most = (f"{share * 100:.0f} %" for share in (flips.likely, flips.most))
    return f"{least}, likely {likely}, up to {most} where some items are hard"


def _sentence(alpha: float | None, raw: float | None, items: int, flipped: str) -> str:
    if raw is None:
        return "No item was rated by two people, so agreement cannot be measured."
    pairs = (
        f"two raters agree on {raw * 100:.0f} % ({items} shared item{'s' if items != 1 else ''})"
    )
    if alpha is None:
        return f"Everybody gave the same value, so alpha is undefined: {pairs}."
    noisy = "no better than guessing" if alpha <= CHANCE else flipped
    numbers = ", ".join(part for part in (f"alpha {alpha:.2f}", pairs, noisy) if part)
    return f"Agreement is {_grade(alpha)}: {numbers}."


def _grade(alpha: float) -> str:
    """Krippendorff's own reading of his coefficient."""
    if alpha >= 0.8:
        return "reliable"
    return "tentative" if alpha >= 0.667 else "low"


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa of two raters' values of the same items, in the same order.

    UserError when the numbers of values differ. Source: Cohen 1960, Educ. Psychol. Meas. 20:37.
    """
    if len(first) != len(second):
        raise UserError(
            f"One rater has {len(first)} values, the other {len(second)}.",
            "Give the items that both rated.",
        )
    if not first:
        return None
    ours, theirs = Counter(first), Counter(second)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    chance = sum(ours[value] * theirs[value] for value in ours) / len(first) ** 2
    return _corrected(agreed, chance)


def scott_pi(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Scott's pi of two raters' values of the same items: chance by the values of both together.

    UserError when the numbers of values differ. Source: Scott 1955, Public Opin. Q. 19:321.
    """
    if len(first) != len(second):
        raise UserError(
            f"One rater has {len(first)} values, the other {len(second)}.",
            "Give the items that both rated.",
        )
    if not first:
        return None
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    both = Counter([*first, *second])
    chance = sum((times / (2 * len(first))) ** 2 for times in both.values())
    return _corrected(agreed, chance)


def rater_pairs(rows: Sequence[Vote], most: int = 20) -> list[RaterPair]:
    """Each two raters who share an item, of the `most` raters with the most votes."""
    votes: dict[Hashable, dict[Hashable, Value]] = {}
    for item, rater, value in rows:
        votes.setdefault(rater, {})[item] = value
    busiest = sorted(votes, key=lambda rater: -len(votes[rater]))[:most]
    found = []
    for first, second in combinations(sorted(busiest, key=str), 2):
        shared = [item for item in votes[first] if item in votes[second]]
        if shared:
            ours, theirs = ([votes[rater][item] for item in shared] for rater in (first, second))
            raw = sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(shared)
            found.append(
                RaterPair(
                    first=str(first), second=str(second), items=len(shared), raw=raw,
                    kappa=cohen_kappa(ours, theirs), pi=scott_pi(ours, theirs),
                )
            )  # fmt: skip
    return found


def _fleiss(table: NDArray[np.int_]) -> float | None:
    """Fleiss' kappa of items with equal numbers of ratings; None for all others."""
    if not table.size or len(set(table.sum(axis=1).tolist())) > 1:
        return None
    return fleiss_kappa(table)


def fleiss_kappa(counts: ArrayLike) -> float | None:
    """Fleiss's kappa; `counts` (items, values) says how many raters gave each value.

    UserError where items have different numbers of raters. Source: Fleiss 1971, Psychol. Bull.
    76:378.
    """
    table = np.asarray(counts, dtype=float)
    if table.size == 0:
        return None
    raters = table.sum(axis=1)
    if (raters != raters[0]).any() or raters[0] < 2:
        raise UserError("Items have different numbers of raters.", "Use Krippendorff's alpha.")
    shares = table.sum(axis=0) / table.sum()
    return _corrected(_mean_agreement(table), float((shares**2).sum()))


def ac1(counts: ArrayLike) -> float | None:
    """Gwet's AC1, which stays high where nearly all votes are alike; `counts` as for Fleiss.

    Items may have different numbers of raters; an item with fewer than two says only how common
    its value is. Source: Gwet 2008, Br. J. Math. Stat. Psychol. 61:29.
    """
    table = np.asarray(counts, dtype=float)
    table = table[table.sum(axis=1) > 0] if table.size else table
    if table.size == 0 or table.shape[1] < 2 or not (table.sum(axis=1) > 1).any():
        return None
    shares = (table / table.sum(axis=1, keepdims=True)).mean(axis=0)
    chance = float((shares * (1 - shares)).sum()) / (table.shape[1] - 1)
    return _corrected(_mean_agreement(table), chance)


def _mean_agreement(table: NDArray[np.float64]) -> float:
    """Share of rater pairs that agree, averaged over the items that two or more rated."""
    shared = table[table.sum(axis=1) > 1]
    raters = shared.sum(axis=1)
    return float(((shared * (shared - 1)).sum(axis=1) / (raters * (raters - 1))).mean())


def _corrected(agreed: float, chance: float) -> float | None:
    return (agreed - chance) / (1 - chance) if chance < 1 else None
