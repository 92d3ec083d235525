"""How sure a score is: intervals of means in [0, 1], and of corpus scores by a jackknife.

The interval of a win rate is made in verdict.py.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import UserError

RARE = 3  # hits, or misses, of 0/1 scores
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
    return _wilson(share, n, float(scipy.stats.norm.ppf((1 + level) / 2)))


def _wilson(share: float, n: float, z: float) -> Interval:
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Bounds of the mean of scores in [0, 1], or of what rows add to a corpus score.

    0/1 scores get Wilson's interval, mended where hits or misses are rare; others Wilson's for as
    many 0/1 scores as would be as sure (the design effect of Korn and Graubard 1998, Survey
    Methodology 24:193), with Student's quantile. Equal numbers get one 0/1 score's worth of
    variance, so that they never look perfectly sure. UserError when there are none.
    """
    each = np.asarray(values, dtype=float)
    n = len(each)
    if n == 0:
        raise UserError("There is no score to average.", "Evaluate at least one row.")
    if _yes_or_no(each):
        return _share_interval(round(float(each.sum())), n, level)
    share = float(np.clip(each.mean(), 0, 1))
    most, (variance, freedom) = share * (1 - share), _spread(each)
    if n == 1 or most < SAME:
        return wilson(share, n, level)
    if variance < SAME**2:
        return wilson(share, n * (n + 1), level)
    return _wilson(share, n * most / variance, float(scipy.stats.t.ppf((1 + level) / 2, freedom)))


def _yes_or_no(each: NDArray[np.float64]) -> bool:
    return bool(np.isin(each, (0, 1)).all())


def _share_interval(hits: int, n: int, level: float) -> Interval:
    """Wilson's interval, but for 1 to 3 hits the lower bound of rare events, and for misses so.

    Wilson's alone holds a rate just below that bound 84 times in 100. Source: Brown, Cai and
    DasGupta 2001, Stat. Sci. 16:101, the modified Wilson interval.
    """
    low, high = wilson(hits / n, n, level)
    if 0 < hits <= RARE:
        low = min(low, float(scipy.stats.chi2.ppf(1 - level, 2 * hits)) / (2 * n))
    if 0 < n - hits <= RARE:
        high = max(high, 1 - float(scipy.stats.chi2.ppf(1 - level, 2 * (n - hits))) / (2 * n))
    return Interval(low, high)


def deciding(values: ArrayLike) -> float:
    """How many rows decide the mean of these numbers: as if so many were equally far from it.

    From 1 to all of them. All also where none differs, and of 0/1 scores: their interval takes
    nothing from how far each lies. It is the number of rows over their kurtosis.
    """
    each = np.asarray(values, dtype=float)
    return float(len(each)) if _yes_or_no(each) else _decisive(each)


def _decisive(each: NDArray[np.float64]) -> float:
    far = (each - each.mean()) ** 2
    return float(far.sum() ** 2 / (far**2).sum()) if far.max() > SAME**2 else float(len(each))


class _Spread(NamedTuple):
    variance: float
    freedom: float


def _spread(each: NDArray[np.float64]) -> _Spread:
    """The variance of numbers and its degrees of freedom, both by how many of them decide.

    Where `m` decide it is taken 1 + 1 / m^2 times as large as it is seen, which uneven rows need.
    The degrees are n - 1 at most, as of normal numbers, and about 2 where a single row decides.
    Source: Satterthwaite 1946, Biometrics Bulletin 2:110, with the variance's own variance.
    """
    n, m = len(each), _decisive(each)
    if n == 1:
        return _Spread(0.0, 1.0)
    freedom = 2 * n / (n / m - (n - 3) / (n - 1))
    return _Spread(float(each.var(ddof=1)) * (1 + m**-2), float(min(n - 1, freedom)))


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


def student(each: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Student's interval of the mean of any numbers; equal ones are held against 0."""
    n, mean = len(each), float(each.mean())
    variance, freedom = _spread(each)
    if variance < SAME**2:
        variance = mean**2 / (n + 1)
    half = float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * (variance / n) ** 0.5
    return Interval(mean - half, mean + half)


def expanded(level: float, n: int) -> tuple[float, float]:
    """The quantiles of a bootstrap of `n` rows that bound its score at `level`.

    Plain percentiles are too narrow for few rows: by sqrt((n - 1) / n), and as normal bounds are
    beside Student's. Source: Hesterberg 2015, The American Statistician 69:371, section 4.1.
    """
    if n < 2:
        return (1 - level) / 2, (1 + level) / 2
    tail = float(
        scipy.stats.norm.cdf((n / (n - 1)) ** 0.5 * scipy.stats.t.ppf((1 - level) / 2, n - 1))
    )
    return tail, 1 - tail
