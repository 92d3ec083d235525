"""Scores as tests come: their shapes, and how often intervals of such samples hold the truth."""

from collections.abc import Sequence

import numpy as np

from engine.core.evaluation import Mean
from engine.core.evaluation_sentences import caveat
from engine.stats.intervals import deciding, mean_interval


def short(rng, n):
    return rng.integers(3, 20, n)


def middling(rng, n):
    return 3 + rng.exponential(20, n).astype(int)


def heavy(rng, n, sigma=1.2):
    """Of a hundred such texts, ten hold half of the words."""
    return np.ceil(rng.lognormal(2.5, sigma, n)).astype(int)


def heaviest(rng, n):
    return heavy(rng, n, 1.6)


SHAPES = {  # how long texts are, and the two numbers of the Beta that their rates come from
    "even": (short, (350, 650)),
    "rare": (middling, (50, 950)),
    "common": (middling, (950, 50)),
    "uneven": (short, (0.4, 0.6)),
    "heavy": (heavy, (0.5, 0.5)),
    "heavy and rare": (heavy, (0.3, 5)),
    "heaviest": (heaviest, (0.5, 0.5)),
}
MEANS = {  # scores of rows, and the mean that all such rows would have
    "beta": (lambda rng, n: rng.beta(0.3, 0.9, n), 0.25),
    "mostly zero": (lambda rng, n: rng.random(n) * (rng.random(n) < 0.3), 0.15),
    "mostly one": (lambda rng, n: np.where(rng.random(n) < 0.6, 1.0, rng.random(n)), 0.8),
    "yes or no": (lambda rng, n: (rng.random(n) < 0.4).astype(float), 0.4),
    "small": (lambda rng, n: rng.beta(0.5, 8, n), 0.5 / 8.5),
    "large": (lambda rng, n: rng.beta(8, 0.5, n), 8 / 8.5),
    "few not one": (lambda rng, n: np.where(rng.random(n) < 0.95, 1.0, rng.random(n)), 0.975),
    "few not zero": (lambda rng, n: rng.random(n) * (rng.random(n) < 0.1), 0.05),
    "alike": (lambda rng, n: rng.normal(0.5, 0.05, n), 0.5),
}
HARD = {  # what 20 rows rarely show
    "tiny": (lambda rng, n: rng.beta(0.1, 2, n), 0.1 / 2.1),
    "tiniest": (lambda rng, n: rng.beta(0.05, 2, n), 0.05 / 2.05),
}


def corpora(rng, shape, n, many=1):
    """Hits and lengths of `many` models' texts, all models equally good; lengths are shared."""
    lengths, beta = SHAPES[shape]
    words = lengths(rng, n)
    return [np.stack([rng.binomial(words, rng.beta(*beta, n)), words], axis=1) for _ in range(many)]


def worst_longest(rng, n):
    """Hits and lengths of texts of which the longest are by far the worst."""
    words = heavy(rng, n)
    return np.stack([rng.binomial(words, np.clip(1.2 - 0.25 * np.log(words), 0.05, 1)), words], 1)


def rate(totals):
    return totals[0] / totals[1]


def judged(each: Sequence[float]) -> Mean:
    low, high = mean_interval(each)
    score = float(np.mean(each))
    return Mean(score=score, low=low, high=high, n=len(each), deciding=deciding(each))


def held(found, truth) -> float:
    """The share of means, or intervals, that hold the truth."""
    return float(np.mean([_holds(one, truth) for one in found]))


def warned(found: Sequence[Mean]) -> float:
    return float(np.mean([caveat(one) != "" for one in found]))


def missed_unwarned(found: Sequence[Mean], truth) -> float:
    """The share of means that do not hold the truth and say nothing of it."""
    return float(np.mean([not (_holds(one, truth) or caveat(one)) for one in found]))


def _holds(one, truth) -> bool:
    low, high = (one.low, one.high) if isinstance(one, Mean) else one
    return bool(low <= truth <= high)
