"""Whether votes say something of people in general: raters as a sample, as questions are one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from engine.core.rating import Generally, People

FEWEST_RATERS = 4
DIFFER = 0.15  # sd of raters' own win rates: log odds of sd .6 about one half


class RaterScore(NamedTuple):
    """What one vote is worth to the new model: 1, one half or 0."""

    prompt: str
    rater: str
    score: float


def people(votes: Sequence[RaterScore], identical: int = 0, alpha: float = 0.05) -> People | None:
    """The interval of the mean over questions, with questions and raters as crossed clusters.

    `identical` questions that nobody saw count one half. None below four raters. The variance is
    that of the questions plus that of the raters less that of single votes, and no less than
    either; Student's t has the freedom of the fewer clusters. Sources: Cameron, Gelbach and Miller
    2011, J. Bus. Econ. Stat. 29:238.
    """
    prompt = _numbered([vote.prompt for vote in votes])
    rater = _numbered([vote.rater for vote in votes])
    raters = int(rater.max(initial=-1)) + 1
    seen = int(prompt.max(initial=-1)) + 1
    if raters < FEWEST_RATERS or seen < 2:
        return None
    score = np.array([vote.score for vote in votes])
    questions = seen + identical
    weight = 1 / (questions * np.bincount(prompt)[prompt])
    rate = float(weight @ score) + identical / (2 * questions)
    off = weight * (score - rate)
    by_prompt = float((np.bincount(prompt, off) ** 2).sum())
    by_prompt += identical * ((0.5 - rate) / questions) ** 2
    by_prompt *= questions / (questions - 1)
    by_rater = float((np.bincount(rater, off) ** 2).sum()) * raters / (raters - 1)
    variance = max(by_prompt + by_rater - float((off**2).sum()), by_prompt, by_rater)
    if variance == 0:  # every vote the same shows no spread: the exact interval of the raters
        exact = scipy.stats.binomtest(round(rate * raters), raters).proportion_ci(1 - alpha)
        low, high = float(exact.low), float(exact.high)
    else:
        half = float(scipy.stats.t.ppf(1 - alpha / 2, min(raters, questions) - 1)) * variance**0.5
        low, high = max(0.0, rate - half), min(1.0, rate + half)
    shown: Generally = "better" if low > 0.5 else "worse" if high < 0.5 else "not shown"
    return People(raters=raters, low=low, high=high, decision=shown)


def raters_needed(win_rate: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Raters that show a win rate of people in general, however many questions each sees.

    It takes raters to differ by `DIFFER` among themselves, and the exact power of Student's t.
    """
    raters = FEWEST_RATERS
    while _power(raters, win_rate, alpha) < power:
        raters += 1
    return raters


def _power(raters: int, win_rate: float, alpha: float) -> float:
    free = raters - 1
    away = (win_rate - 0.5) / DIFFER * raters**0.5
    return float(scipy.stats.nct.sf(scipy.stats.t.ppf(1 - alpha / 2, free), free, away))


def _numbered(names: Sequence[str]) -> NDArray[np.int_]:
    order: dict[str, int] = {}
    return np.array([order.setdefault(name, len(order)) for name in names], dtype=int)
