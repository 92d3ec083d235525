"""Looking at a blind test after every vote without fooling oneself.

An e-process bets against "both models win equally often"; its wealth passes 1 / alpha at any time
with a probability of at most alpha, however often one looks (Ville's inequality). Source: the
beta-binomial mixture of Robbins 1970, as in Ramdas et al. 2023, arXiv:2210.01948.
"""

from math import exp, log, log1p

from pydantic import BaseModel, ConfigDict
from scipy.optimize import brentq
from scipy.special import betaln

from engine.core.errors import UserError
from engine.stats.intervals import Interval

EDGE = 1e-12  # the closest to 0 and 1 that a win rate is looked for


class Evidence(BaseModel):
    """A test so far: evidence `e` against equality, and bounds that hold at every look."""

    model_config = ConfigDict(frozen=True)

    e: float
    low: float
    high: float
    stop: bool
    sentence: str


def e_value(wins: int, losses: int, p0: float = 0.5, a: float = 1.0, b: float = 1.0) -> float:
    """Evidence against a true win rate of `p0` in decisive votes: 1 is none, 20 refutes at 5 %.

    `a` and `b` shape the beta prior of the bet; capped at e^700.
    """
    return exp(min(700.0, _log_e(wins, losses, p0, a, b)))


def _log_e(wins: int, losses: int, p0: float, a: float, b: float) -> float:
    against = float(betaln(a + wins, b + losses) - betaln(a, b))
    return against - wins * log(p0) - losses * log1p(-p0)


def confidence_sequence(
    wins: int, losses: int, level: float = 0.95, a: float = 1.0, b: float = 1.0
) -> Interval:
    """Win rates that are not refuted so far; holds at all looks together with `level`."""
    _check(wins, losses)
    if wins + losses == 0:
        return Interval(0.0, 1.0)
    share, limit = wins / (wins + losses), -log(1 - level)

    def excess(rate: float) -> float:
        return _log_e(wins, losses, rate, a, b) - limit

    middle = min(max(share, EDGE), 1 - EDGE)
    low = brentq(excess, EDGE, middle) if wins and excess(EDGE) > 0 else 0.0
    high = brentq(excess, middle, 1 - EDGE) if losses and excess(1 - EDGE) > 0 else 1.0
    return Interval(float(low), float(high))


def evidence(wins: int, losses: int, alpha: float = 0.05) -> Evidence:
    """Whether the test may stop now; UserError for negative counts."""
    bounds = confidence_sequence(wins, losses, 1 - alpha)
    e, n = e_value(wins, losses), wins + losses
    stop = e >= 1 / alpha
    side = "more" if wins > losses else "less"
    found = f"the new model wins {side} often than the baseline" if stop else "no difference shown"
    verb = "Stop" if stop else "Go on"
    sentence = (
        f"{verb}: after {n} decisive votes {found} (evidence {e:.3g}, {1 / alpha:g} is enough; "
        f"win rate {bounds.low * 100:.1f} to {bounds.high * 100:.1f} %)."
    )
    return Evidence(e=e, low=bounds.low, high=bounds.high, stop=stop, sentence=sentence)


def _check(wins: int, losses: int) -> None:
    if wins < 0 or losses < 0:
        raise UserError("Votes cannot be negative.", "Give the numbers of wins and losses.")
