"""Two models on the same rows: how large the difference is, and whether it is one."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from engine.core.errors import UserError
from engine.core.evaluation import Gain
from engine.stats.intervals import (
    FEW,
    SAME,
    FromParts,
    Interval,
    mean_interval,
    pseudo_values,
    rounded_up,
    student,
)

DRAWS = 4000
Parts = Sequence[Sequence[float]]


class _Found(NamedTuple):
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
        text = "No difference shown: there is no row that both models answered."
        return Gain(diff=0.0, low=-1.0, high=1.0, p=1.0, n=0, sentence=text)
    if from_parts is None or base_parts is None or new_parts is None:
        found = _of_means(np.subtract(new_each, base_each), level, seed)
    else:
        found = _of_parts(base_parts, new_parts, from_parts, level, seed)
    low, high = found.bounds
    sentence = _sentence(found, n, level)
    return Gain(diff=found.diff, low=low, high=high, p=found.p, n=n, sentence=sentence)


def _of_means(diffs: NDArray[np.float64], level: float, seed: int) -> _Found:
    spread = float(diffs.std(ddof=1)) if len(diffs) > 1 else 0.0
    return _Found(float(diffs.mean()), _bounds(diffs, level), sign_flip_p(diffs, seed), spread)


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
) -> _Found:
    """As of means, of what each row adds to the difference of the corpus scores."""
    base, new = np.asarray(base_parts, dtype=float), np.asarray(new_parts, dtype=float)
    width = base.shape[1]

    def difference(totals: Sequence[float]) -> float:
        return from_parts(totals[width:]) - from_parts(totals[:width])

    each = pseudo_values(np.hstack([base, new]), difference)
    diff = from_parts(new.sum(axis=0)) - from_parts(base.sum(axis=0))
    spread = float(each.std(ddof=1)) if len(each) > 1 else 0.0
    return _Found(diff, _bounds(each, level), _swap_p(base, new, from_parts, diff, seed), spread)


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


def _sentence(found: _Found, n: int, level: float) -> str:
    rows = f"{n} held-out row" + ("s" if n != 1 else "")
    (low, high), p = found.bounds, found.p
    said = (
        f"{_signed(found.diff)} ({level * 100:g} % interval {_plain(low)} to "
        f"{_plain(high)}) on {rows}"
    )
    if p < 1 - level and low > 0:
        return f"Better: {said}."
    if p < 1 - level and high < 0:
        return f"Worse: {said}."
    few = ", too few rows to tell" if n < FEW else ""
    return f"No difference shown{few}: {said}; {_power(found, n, level)}."


def _power(found: _Found, n: int, level: float) -> str:
    """What a test of this size could see with 80 % power, and how many rows this one needs."""
    z, power = float(norm.ppf((1 + level) / 2)), float(norm.ppf(0.8))
    half = (found.bounds.high - found.bounds.low) / 2
    seen = f"this test could see a difference of about {_plain(min(1.0, half * (1 + power / z)))}"
    if abs(found.diff) < 0.0005:
        return f"{seen}; none was measured"
    spread = found.spread if found.spread > SAME else half / z * n**0.5
    wanted = ((z + power) * spread / found.diff) ** 2 + z * z / 2  # the last for Student's t
    needed = max(n + 1, ceil(wanted))
    many = f"about {rounded_up(needed)}" if needed <= 100_000 else "more than 100,000"
    return f"{seen}; {many} rows would be needed for the difference measured here"


def _plain(value: float) -> str:
    digits = 2 if abs(value) >= 0.01 or abs(value) < 0.0005 else 3
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def _signed(value: float) -> str:
    text = _plain(value)
    return text if text[0] == "\N{MINUS SIGN}" else f"+{text}"
