"""How many votes are flipped where items may differ in how hard they are.

Agreement fixes the mean of e (1 - e) over the items alone, e being an item's chance of a flip, and
three votes an item tell no more than two: how the hardness is spread is an assumption. So there
are a least and a most that hold for any spread, and a likely value between them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from pydantic import BaseModel, ConfigDict

TELLING = 4  # votes on an item from which on its split says whether items differ
EASIEST, HARDEST = -6.0, 6.0  # natural logarithm of the shape


class Split(NamedTuple):
    """The votes on one item for its two answers."""

    one: int
    other: int


class VoteNoise(BaseModel):
    """Shares of flipped votes: `least` of items that are alike, `most` of sure items and coins.

    `likely` is of a beta-binomial: an item's share of votes for its better answer comes from a
    symmetric beta distribution of `shape`. Where items with four votes fit items that are alike
    better, it is the least and `shape` is None.
    """

    model_config = ConfigDict(frozen=True)

    least: float
    likely: float
    most: float
    shape: float | None


def vote_noise(splits: Sequence[Split]) -> VoteNoise | None:
    """The noise of votes with a winner; None where two agree no more often than by chance.

    Jensen: for one agreement the mean of e is least where all e are alike, and most where each is
    0 or one half.
    """
    shared = [split for split in splits if sum(split) > 1]
    raw = _agreement(shared)
    if raw is None or raw <= 0.5:
        return None
    least = float((1 - (2 * raw - 1) ** 0.5) / 2)
    if raw == 1.0:
        return VoteNoise(least=0.0, likely=0.0, most=0.0, shape=None)
    shape, uneven = _fitted(shared)
    likely = _mean_flip(shape)
    if max(map(sum, shared)) >= TELLING and _alike(shared, least) > uneven:
        return VoteNoise(least=least, likely=least, most=1 - raw, shape=None)
    return VoteNoise(
        least=least, likely=min(1 - raw, max(least, likely)), most=1 - raw, shape=shape
    )


def chance_wrong(noise: VoteNoise, ahead: int, behind: int) -> float:
    """How likely the answer with `ahead` votes is the worse one, by Bayes.

    Both answers are equally likely to be better beforehand.
    """
    if noise.shape is not None:
        return float(scipy.special.betainc(noise.shape + ahead, noise.shape + behind, 0.5))
    odds = (noise.least / (1 - noise.least)) ** (ahead - behind)
    return float(odds / (1 + odds))


def _agreement(splits: Sequence[Split]) -> float | None:
    """Share of pairs of votes on one item that agree; an item counts by its pairs."""
    pairs = sum(n * (n - 1) for n in map(sum, splits))
    agreed = sum(k * (k - 1) for split in splits for k in split)
    return agreed / pairs if pairs else None


def _fitted(splits: Sequence[Split]) -> tuple[float, float]:
    """The shape with the highest likelihood, and its logarithm."""
    counts = np.array([[sum(split), split.one] for split in splits])

    def missing(log_shape: float) -> float:
        shape = np.exp(log_shape)
        return -float(scipy.stats.betabinom.logpmf(counts[:, 1], counts[:, 0], shape, shape).sum())

    found = scipy.optimize.minimize_scalar(missing, bounds=(EASIEST, HARDEST), method="bounded")
    return float(np.exp(found.x)), -float(found.fun)


def _alike(splits: Sequence[Split], noise: float) -> float:
    """The logarithm of the likelihood where every item has this noise and either answer may win."""
    one = np.array([split.one for split in splits], dtype=float)
    other = np.array([split.other for split in splits], dtype=float)
    ways = -scipy.special.betaln(one + 1, other + 1) - np.log(
        one + other + 1
    )  # log of "n choose k"
    right, wrong = np.log1p(-noise), np.log(max(noise, 1e-12))
    either = np.logaddexp(one * right + other * wrong, one * wrong + other * right) - np.log(2)
    return float((ways + either).sum())


def _mean_flip(shape: float) -> float:
    """Mean of min(p, 1 - p) for p of a symmetric beta distribution."""
    return float(
        0.5 - np.exp(-2 * shape * np.log(2) - np.log(shape) - scipy.special.betaln(shape, shape))
    )
