"""Two models on the same rows: how large the difference is, and whether it is one."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import UserError
from engine.core.evaluation import Gain, gain_decision
from engine.core.evaluation_sentences import ROWS, Measured, Power, Unit, of_gain
from engine.stats.intervals import (
    SAME,
    FromParts,
    Interval,
    mean_interval,
    pseudo_values,
    student,
)

DRAWS = 4000
LEAST_DIFFERENCE = 0.0005  # below, a difference is none at the digits people read
Parts = Sequence[Sequence[float]]


class _Difference(NamedTuple):
    """`spread` is the standard deviation of one row's difference; 0 where none was seen."""

    diff: float
    bounds: Interval
    p: float
    spread: float


def paired_gain(
    base_each: Sequence[float],
    new_each: Sequence[float],
    *,
    base_parts: Parts | None = None,
    new_parts: Parts | None = None,
    from_parts: FromParts | None = None,
    level: float = 0.95,
    seed: int = 0,
    unit: Unit = ROWS,
) -> Gain:
    """The new model's score minus the base's on the rows both answered, in the same order.

    Give the parts of a metric whose corpus score is not a mean (BLEU), and the difference is that
    of the corpus scores. A winner is named only where the permutation test (p < 1 - level) and the
    interval (zero outside) agree, so a model never wins against itself. UserError when the row
    counts differ.
    """
    n = len(base_each)
    if n != len(new_each):
        raise UserError(
            f"The models have {n} and {len(new_each)} scores.", "Compare the rows both answered."
        )
    if n == 0:
        return _gain(_Difference(0.0, Interval(-1.0, 1.0), 1.0, 0.0), 0, level, unit)
    if from_parts is None or base_parts is None or new_parts is None:
        found = _of_means(np.subtract(new_each, base_each), level, seed)
    else:
        found = _of_parts(base_parts, new_parts, from_parts, level, seed)
    return _gain(found, n, level, unit)


def _gain(found: _Difference, n: int, level: float, unit: Unit) -> Gain:
    (low, high), p = found.bounds, found.p
    decision = gain_decision(low, high, p, n, level)
    power = _power(found, n, level) if n else None
    sentence = of_gain(decision, Measured(found.diff, low, high, n, level), power, unit)
    return Gain(diff=found.diff, low=low, high=high, p=p, n=n, decision=decision, sentence=sentence)


def _of_means(diffs: NDArray[np.float64], level: float, seed: int) -> _Difference:
    spread = float(diffs.std(ddof=1)) if len(diffs) > 1 else 0.0
    return _Difference(float(diffs.mean()), _bounds(diffs, level), sign_flip_p(diffs, seed), spread)


def _bounds(diffs: NDArray[np.float64], level: float) -> Interval:
    """Student's interval of the mean difference, inside [-1, 1]."""
    if len(diffs) == 1 or float(np.abs(diffs).max()) < SAME:
        halves = mean_interval(((diffs + 1) / 2).tolist(), level)  # so they are scores in [0, 1]
        return Interval(2 * halves.low - 1, 2 * halves.high - 1)
    low, high = student(diffs, level)  # all by the same is not perfectly sure
    return Interval(max(-1.0, low), min(1.0, high))


def sign_flip_p(diffs: ArrayLike, seed: int = 0, draws: int = DRAWS) -> float:
    """How often a mean this far from zero arises when every difference may have either sign.

    Two-sided. Up to 12 differences other than zero, all sign patterns are tried; beyond that,
    `draws` random ones. Source: Fisher's randomisation test; Phipson and Smyth 2010 for the +1.
    """
    moving = np.asarray(diffs, dtype=float)
    moving = moving[np.abs(moving) > SAME]
    k = len(moving)
    if k == 0:
        return 1.0
    seen = abs(moving.sum()) - SAME
    if k <= 12:
        every = 1 - 2 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
        return float(np.mean(np.abs(every @ moving) >= seen))
    rng = np.random.default_rng(seed)
    step = max(1, 2_000_000 // k)  # keeps the matrix of signs small
    far = 0
    for start in range(0, draws, step):
        signs = 2.0 * rng.integers(0, 2, size=(min(step, draws - start), k), dtype=np.int8) - 1
        far += int(np.sum(np.abs(signs @ moving) >= seen))
    return (far + 1) / (draws + 1)


def _of_parts(
    base_parts: Parts, new_parts: Parts, from_parts: FromParts, level: float, seed: int
) -> _Difference:
    """As of means, of what each row adds to the difference of the corpus scores."""
    base, new = np.asarray(base_parts, dtype=float), np.asarray(new_parts, dtype=float)
    width = base.shape[1]

    def difference(totals: Sequence[float]) -> float:
        return from_parts(totals[width:]) - from_parts(totals[:width])

    each = pseudo_values(np.hstack([base, new]), difference)
    diff = from_parts(new.sum(axis=0)) - from_parts(base.sum(axis=0))
    spread = float(each.std(ddof=1)) if len(each) > 1 else 0.0
    return _Difference(
        diff, _bounds(each, level), _swap_p(base, new, from_parts, diff, seed), spread
    )


def _swap_p(
    base: NDArray[np.float64],
    new: NDArray[np.float64],
    from_parts: FromParts,
    diff: float,
    seed: int,
) -> float:
    """How often a difference as large arises when each row's answers may change sides."""
    draws = DRAWS // 2
    kept = np.random.default_rng(seed).integers(0, 2, size=(draws, len(base)))
    swapped = _differences(
        kept @ new + (1 - kept) @ base, kept @ base + (1 - kept) @ new, from_parts
    )
    return (int(np.sum(np.abs(swapped) >= abs(diff) - SAME)) + 1) / (draws + 1)


def _differences(
    new: NDArray[np.float64], base: NDArray[np.float64], from_parts: FromParts
) -> NDArray[np.float64]:
    return np.array([from_parts(a) - from_parts(b) for a, b in zip(new, base, strict=True)])


def _power(found: _Difference, n: int, level: float) -> Power:
    """What a test of this size could see with 80 % power, and how many rows this one needs."""
    z, power = float(scipy.stats.norm.ppf((1 + level) / 2)), float(scipy.stats.norm.ppf(0.8))
    half = (found.bounds.high - found.bounds.low) / 2
    detectable = min(1.0, half * (1 + power / z))
    if abs(found.diff) < LEAST_DIFFERENCE:
        return Power(detectable, None)
    spread = found.spread if found.spread > SAME else half / z * n**0.5
    wanted = ((z + power) * spread / found.diff) ** 2 + z * z / 2  # the last for Student's t
    return Power(detectable, max(n + 1, ceil(wanted)))
