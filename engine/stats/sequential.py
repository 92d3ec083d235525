"""The sequential rule of a blind round: evidence and bounds that hold however often one looks.

It reads per-prompt means, since with ties, or several raters a prompt, votes are no coin flips. A
gambler bets on each prompt's mean, having seen only the earlier ones; where the true mean is `m`
the wealth passes 1 / alpha with a probability of at most alpha, at any time. Source: Waudby-Smith
and Ramdas 2024, J. R. Stat. Soc. B 86:1, arXiv:2010.09686, the hedged capital of section 4.
"""

from collections.abc import Sequence
from math import exp, log

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.stats.intervals import Interval

EDGE = 1e-9  # the closest to 0 and 1 that a mean is looked for
BOLDEST = 0.5  # share of the wealth that may be lost in one bet


class Evidence(BaseModel):
    """A test so far: evidence `e` against equality, and bounds that hold at every look."""

    model_config = ConfigDict(frozen=True)

    e: float
    low: float
    high: float
    stop: bool
    sentence: str


def log_wealth(means: ArrayLike, m: float, alpha: float = 0.05) -> NDArray[np.float64]:
    """Log wealth after each mean of a gambler who bets that the true mean is above `m`.

    `means` has any shape, time last; so has what comes back. Half the money is bet on "above" and
    half, with 1 - means and 1 - m, on "below"; this is one half's, which starts at log(1/2).
    """
    x = np.asarray(means, dtype=float)
    bets = np.minimum(_bets(x, alpha), BOLDEST / max(m, EDGE))
    wealth: NDArray[np.float64] = log(0.5) + np.log1p(bets * (x - m)).cumsum(axis=-1)
    return wealth


def _bets(x: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """The predictable plug-in bets of equation 26: each knows only the means before its own."""
    t = np.arange(1, x.shape[-1] + 1)
    centre = (0.5 + x.cumsum(axis=-1)) / (t + 1)
    variance = (0.25 + ((x - centre) ** 2).cumsum(axis=-1)) / (t + 1)
    first = np.full((*x.shape[:-1], 1), 0.25)
    before = np.concatenate([first, variance[..., :-1]], axis=-1)
    bets: NDArray[np.float64] = np.sqrt(2 * log(2 / alpha) / (before * t * np.log(t + 1)))
    return bets


def mean_sequence(means: Sequence[float], level: float = 0.95) -> Interval:
    """Bounds of the mean that hold at all looks together with `level`; (0, 1) without a mean.

    `means` lie in [0, 1] in the order in which they came in. UserError where they do not.
    """
    x = _checked(means)
    low, high = _lower(x, 1 - level), 1 - _lower(1 - x, 1 - level)
    return Interval(min(low, high), max(low, high))


def _lower(x: NDArray[np.float64], alpha: float) -> float:
    def excess(m: float) -> float:
        return float(log_wealth(x, m, alpha).max()) + log(alpha)

    if not x.size or excess(EDGE) <= 0:
        return 0.0
    if excess(1 - EDGE) > 0:
        return 1.0
    return float(scipy.optimize.brentq(excess, EDGE, 1 - EDGE))  # the wealth falls as m rises


def evidence_by_prompt(means: Sequence[float], alpha: float = 0.05) -> Evidence:
    """Whether a test may stop now, from each prompt's mean score (ties as half) in their order.

    `e` is the most evidence seen so far against a mean of one half. UserError for a mean outside
    [0, 1].
    """
    x = _checked(means)
    bounds = mean_sequence(means, 1 - alpha)
    sides = [log_wealth(each, 0.5, alpha) for each in (x, 1 - x)]
    e = exp(min(700.0, max((float(side.max()) for side in sides if side.size), default=0.0)))
    stop = e >= 1 / alpha
    return Evidence(
        e=e, low=bounds.low, high=bounds.high, stop=stop,
        sentence=_sentence(x, bounds, stop, 1 - alpha),
    )  # fmt: skip


def _sentence(x: NDArray[np.float64], bounds: Interval, stop: bool, level: float) -> str:
    if not x.size:
        return "Go on: no prompt has been voted on yet."
    side = "better" if bounds.low > 0.5 else "worse"
    found = f"the new model is {side} than the baseline" if stop else "no difference shown"
    return (
        f"{'Stop' if stop else 'Go on'}: after {len(x)} prompts {found} (win rate with ties as "
        f"half {x.mean() * 100:.1f} %; {bounds.low * 100:.1f} to {bounds.high * 100:.1f} % are "
        f"still possible, a range that holds at {level * 100:g} % however often you look)."
    )


def _checked(means: Sequence[float]) -> NDArray[np.float64]:
    x = np.asarray(means, dtype=float)
    if x.ndim != 1 or not ((x >= 0) & (x <= 1)).all():
        raise UserError("A prompt's mean is outside 0 to 1.", "Count a win 1 and a tie one half.")
    return x
