"""Perplexity of the references: how many tokens a model wavers between at each step."""

from collections.abc import Sequence
from math import exp

import numpy as np

from engine.core.evaluation import Perplexity
from engine.stats.intervals import resampled

DRAWS = 2000
HIGHEST = 700.0  # nats a token: beyond, the number does not fit into a float

Nats = Sequence[tuple[float, int]]


def perplexity(rows: Nats, seed: int = 0) -> Perplexity:
    """exp(nats / tokens) over all rows, bounded at 95 % by resampling rows (percentiles).

    `rows` hold nats and tokens of at least one row. Source: Jelinek et al. 1977, JASA 62:S63.
    """
    nats, tokens = (sum(column) for column in zip(*rows, strict=True))
    sums = resampled(rows, seed, DRAWS)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Perplexity(
        score=_exp(nats / tokens), low=_exp(low), high=_exp(high), tokens=int(tokens), n=len(rows)
    )


def ratio(before: Nats, after: Nats, seed: int = 0) -> tuple[float, float]:
    """Bounds at 95 % of the perplexity of `after` divided by that of `before`, on the same rows."""
    both = [(a - b, tokens) for (b, tokens), (a, _) in zip(before, after, strict=True)]
    sums = resampled(both, seed, DRAWS)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return _exp(low), _exp(high)


def _exp(nats: float) -> float:
    return exp(min(float(nats), HIGHEST))
