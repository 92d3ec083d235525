"""How sure a score is: intervals for means of scores in [0, 1] and for corpus scores."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from engine.core.errors import UserError

FromParts = Callable[[Sequence[float]], float]


class Interval(NamedTuple):
    low: float
    high: float


def wilson(share: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share seen in `n` draws, inside [0, 1]; `n` may be a fraction.

    Source: Wilson 1927, JASA 22:209.
    """
    z = float(norm.ppf((1 + level) / 2))
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Bounds of the mean of scores in [0, 1]; UserError when there are none.

    0/1 scores get Wilson's interval. Other scores vary less than 0/1 scores of the same mean, so
    they get Wilson's interval for as many 0/1 scores as would be equally sure (the design effect
    of Korn and Graubard 1998). One 0/1 score's worth of variance is mixed in, so that equal scores
    never look perfectly sure; a single score counts as a single 0/1 score.
    """
    n = len(values)
    if n == 0:
        raise UserError("There is no score to average.", "Evaluate at least one row.")
    scores = np.asarray(values, dtype=float)
    mean = float(np.clip(scores.mean(), 0, 1))
    return wilson(mean, n / _spread(scores, mean), level)


def _spread(scores: NDArray[np.float64], mean: float) -> float:
    """Variance of `scores` as a share of what 0/1 scores of the same mean would have: (0, 1]."""
    n, most = len(scores), mean * (1 - mean)
    if n == 1 or most <= 0:
        return 1.0
    return min(1.0, float((n * scores.var(ddof=1) + most) / ((n + 1) * most)))


def resampled(parts: Sequence[Sequence[float]], seed: int, draws: int) -> NDArray[np.float64]:
    """Sums of `parts` over `draws` samples of rows with replacement: (draws, parts)."""
    n = len(parts)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    sums: NDArray[np.float64] = counts @ np.asarray(parts, dtype=float)
    return sums


def expanded(level: float, n: int) -> tuple[float, float]:
    """The quantiles of a bootstrap of `n` rows that bound its score at `level`.

    Plain percentiles are too narrow for few rows: by sqrt((n - 1) / n), and as normal bounds are
    beside Student's. Source: Hesterberg 2015, The American Statistician 69:371, section 4.1.
    """
    if n < 2:
        return (1 - level) / 2, (1 + level) / 2
    tail = float(norm.cdf((n / (n - 1)) ** 0.5 * t.ppf((1 - level) / 2, n - 1)))
    return tail, 1 - tail


def bootstrap_from_parts(
    parts: Sequence[Sequence[float]],
    from_parts: FromParts,
    level: float = 0.95,
    seed: int = 0,
    draws: int = 1000,
) -> Interval:
    """Bounds of a corpus score in [0, 1] such as BLEU, by resampling rows (expanded percentiles).

    Where resampling cannot move the score (one row, or rows alike), it is treated as the mean of
    that many equal scores. UserError when there are no rows. Source: Koehn 2004, W04-3250.
    """
    if not parts:
        raise UserError("There is no score to average.", "Evaluate at least one row.")
    scores = [from_parts(totals) for totals in resampled(parts, seed, draws)]
    low, high = np.quantile(scores, expanded(level, len(parts)))
    if high - low < 1e-12:
        return mean_interval([scores[0]] * len(parts), level)
    return Interval(max(0.0, float(low)), min(1.0, float(high)))
