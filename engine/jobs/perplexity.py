"""Perplexity of the references: how many tokens a model wavers between at each step."""

from collections.abc import Sequence
from math import exp

from engine.core.evaluation import Perplexity
from engine.stats.intervals import pseudo_values, student

HIGHEST = 700.0  # nats a token: beyond, the number does not fit into a float

Nats = Sequence[tuple[float, int]]


def perplexity(rows: Nats) -> Perplexity:
    """exp(nats / tokens) over all rows, bounded at 95 % by what each row adds to nats / tokens.

    `rows` hold nats and tokens of at least one row. Source: Jelinek et al. 1977, JASA 62:S63.
    """
    nats, tokens = (sum(column) for column in zip(*rows, strict=True))
    low, high = student(pseudo_values(rows, _rate))
    return Perplexity(
        score=_exp(nats / tokens),
        low=_exp(max(0.0, low)),
        high=_exp(high),
        tokens=int(tokens),
        n=len(rows),
    )


def ratio(before: Nats, after: Nats) -> tuple[float, float]:
    """Bounds at 95 % of the perplexity of `after` divided by that of `before`, on the same rows."""
    both = [(a - b, tokens) for (b, tokens), (a, _) in zip(before, after, strict=True)]
    low, high = student(pseudo_values(both, _rate))
    return _exp(low), _exp(high)


def _rate(totals: Sequence[float]) -> float:
    return float(totals[0] / max(totals[1], 1.0))


def _exp(nats: float) -> float:
    return exp(min(float(nats), HIGHEST))
