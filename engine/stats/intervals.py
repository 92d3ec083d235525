"""How sure a score is: intervals for means of scores in [0, 1] and for corpus scores."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from engine.core.errors import UserError

FEW = 20  # rows; below, intervals of 95 % hold the truth in fewer than 92 of 100 uneven samples
NARROW = "few rows: this interval may be too narrow"
LEAST_P = 0.001  # below, the digits say nothing to anybody
SAME = 1e-12  # sums of floats that differ by less are equal
FromParts = Callable[[Sequence[float]], float]


class Interval(NamedTuple):
    low: float
    high: float


def wilson(share: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share seen in `n` draws, inside [0, 1]; `n` may be a fraction.

    Source: Wilson 1927, JASA 22:209.
    """
    return _wilson(share, n, float(norm.ppf((1 + level) / 2)))


def _wilson(share: float, n: float, z: float) -> Interval:
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Bounds of the mean of scores in [0, 1]; UserError when there are none.

    0/1 scores get Wilson's interval; others Wilson's with a larger or smaller number of scores,
    as they vary less or more than 0/1 scores would.
    """
    if len(values) == 0:
        raise UserError("There is no score to average.", "Evaluate at least one row.")
    scores = np.asarray(values, dtype=float)
    if np.isin(scores, (0, 1)).all():
        return wilson(float(scores.mean()), len(scores), level)
    return _of_rows(scores, level)


def _of_rows(each: NDArray[np.float64], level: float) -> Interval:
    """Wilson's interval for as many 0/1 scores as are as sure as the mean of these numbers.

    That is the design effect of Korn and Graubard 1998, Survey Methodology 24:193, with Student's
    quantile. Equal numbers get one 0/1 score's worth of variance, so that they never look
    perfectly sure; a single one counts as a single 0/1 score.
    """
    n, share = len(each), float(np.clip(each.mean(), 0, 1))
    most, variance = share * (1 - share), _cautious(each)
    if n == 1 or most < SAME:
        return wilson(share, n, level)
    if variance < SAME**2:
        return wilson(share, n * (n + 1), level)
    return _wilson(share, n * most / variance, float(t.ppf((1 + level) / 2, n - 1)))


def caveat(n: int) -> str:
    """What must be said beside the interval of a score of `n` rows; nothing where they suffice."""
    return NARROW if 0 < n < FEW else ""


def p_words(p: float) -> str:
    """A p-value as people read it: two digits, and no more of them than matter."""
    return f"p = {p:.2g}" if p >= LEAST_P else f"p < {LEAST_P:g}"


def pseudo_values(parts: ArrayLike, from_parts: FromParts) -> NDArray[np.float64]:
    """What each row adds to a corpus score; their mean is the score, and their spread its spread.

    `n` times the score less `n - 1` times the score without the row, moved by the jackknife's
    correction of bias, which would only add noise. Of a mean they are the scores of the rows.
    Source: Tukey 1958, Ann. Math. Stat. 29:614; Miller 1974, Biometrika 61:1.
    """
    rows = np.asarray(parts, dtype=float)
    n, totals = len(rows), rows.sum(axis=0)
    score = float(from_parts(totals))
    if n == 1:
        return np.array([score])
    without = np.array([from_parts(totals - row) for row in rows])
    return np.asarray(score + (n - 1) * (without.mean() - without))


def corpus_interval(
    parts: Sequence[Sequence[float]], from_parts: FromParts, level: float = 0.95
) -> Interval:
    """Bounds of a corpus score in [0, 1] such as BLEU, by what each row adds to it.

    UserError when there are no rows. For the mean of scores it is the interval of that mean.
    """
    if len(parts) == 0:
        raise UserError("There is no score to average.", "Evaluate at least one row.")
    return _of_rows(pseudo_values(parts, from_parts), level)


def student(each: NDArray[np.float64], level: float = 0.95, about: float | None = None) -> Interval:
    """Student's interval of the mean of any numbers; `about` as for differences: 0.

    A single number is held against `about`, or else against 0.
    """
    n, mean = len(each), float(each.mean())
    variance = _cautious(each, 0.0 if n == 1 else about)
    half = float(t.ppf((1 + level) / 2, max(1, n - 1))) * (variance / n) ** 0.5
    return Interval(mean - half, mean + half)


def _cautious(each: NDArray[np.float64], about: float | None = None) -> float:
    """The variance with one more number as far from `about` (the mean) as the farthest.

    Where a few long rows decide, or only a few rows differ, the variance seen is too small.
    """
    n = len(each)
    largest = float(np.abs(each - (each.mean() if about is None else about)).max())
    variance = float(each.var(ddof=1)) if n > 1 else 0.0
    return (n * variance + largest**2) / (n + 1)


def expanded(level: float, n: int) -> tuple[float, float]:
    """The quantiles of a bootstrap of `n` rows that bound its score at `level`.

    Plain percentiles are too narrow for few rows: by sqrt((n - 1) / n), and as normal bounds are
    beside Student's. Source: Hesterberg 2015, The American Statistician 69:371, section 4.1.
    """
    if n < 2:
        return (1 - level) / 2, (1 + level) / 2
    tail = float(norm.cdf((n / (n - 1)) ** 0.5 * t.ppf((1 - level) / 2, n - 1)))
    return tail, 1 - tail
