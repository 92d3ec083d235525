"""Whether raters form two camps that judge by different rules."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError

APART = 0.25  # win rates of camps that differ by less are no camps
SURER = 6.0  # by how much two camps must beat a single broad group (BIC: strong evidence)
SMALLEST = 2  # a camp of one is an outlier, which the anomaly test finds


class Camps(BaseModel):
    """`split` is True where two camps explain the raters better than one group that varies.

    `low` and `high` are the win rates of the new model in each camp, None where there is no split;
    `camp` names for each rater the camp they are in: "low" or "high".
    """

    model_config = ConfigDict(frozen=True)

    split: bool
    low: float | None
    high: float | None
    camp: dict[str, str]
    sentence: str


class _Two(NamedTuple):
    share: float  # of raters in the second camp
    rates: tuple[float, float]
    belongs: NDArray[np.float64]  # to the second camp
    log_likelihood: float


def camps(votes: dict[str, tuple[int, int]]) -> Camps:
    """Whether the win rate by rater has two peaks; `votes` holds wins and votes with a winner.

    Two binomial camps are compared with one group whose rates follow a beta distribution, by BIC.
    UserError for more wins than votes.
    """
    for rater, (wins, n) in votes.items():
        if not 0 <= wins <= n:
            raise UserError(f"Rater {rater!r} has {wins} wins of {n} votes.", "Correct the counts.")
    active = {rater: own for rater, own in votes.items() if own[1] > 0}
    if len(active) < 2 * SMALLEST:
        return _one("There are too few raters to tell whether they form two camps.")
    k, n = np.array(list(active.values()), dtype=float).T
    two = max((_two(k, n, start) for start in _starts(k / n)), key=lambda fit: fit.log_likelihood)
    gain = 2 * (two.log_likelihood - _broad(k, n)) - np.log(len(k))  # one parameter more
    second = two.belongs > 0.5
    small = min(second.sum(), (~second).sum())
    if gain < SURER or abs(two.rates[1] - two.rates[0]) < APART or small < SMALLEST:
        return _one("Raters form no two camps: their win rates vary around one value.")
    return _split(list(active), two, second)


def _one(sentence: str) -> Camps:
    return Camps(split=False, low=None, high=None, camp={}, sentence=sentence)


def _split(raters: Sequence[str], two: _Two, second: NDArray[np.bool_]) -> Camps:
    low, high = sorted(two.rates)
    upper = second if two.rates[1] == high else ~second
    camp = {name: "high" if up else "low" for name, up in zip(raters, upper, strict=True)}
    many = int(upper.sum())
    return Camps(
        split=True, low=low, high=high, camp=camp,
        sentence=(
            f"The win rate by rater has two peaks: {many} raters give the new model "
            f"{high * 100:.0f} % and {len(raters) - many} give it {low * 100:.0f} %. Find out why "
            f"before you use the average: one camp may follow another rule, or not read."
        ),
    )  # fmt: skip


def _starts(rates: NDArray[np.float64]) -> list[tuple[float, float]]:
    low, middle, high = (float(q) for q in np.quantile(rates, [0.1, 0.5, 0.9]))
    return [(low, high), (low, middle), (middle, high)]


def _two(k: NDArray[np.float64], n: NDArray[np.float64], start: tuple[float, float]) -> _Two:
    """Two binomial camps by expectation and maximisation, from these win rates on."""
    rates, share = np.clip(start, 0.01, 0.99), 0.5
    for _ in range(100):
        each = scipy.special.xlogy(k[:, None], rates) + scipy.special.xlog1py(
            (n - k)[:, None], -rates
        )
        each = each + np.log([1 - share, share])
        whole = np.logaddexp(each[:, 0], each[:, 1])
        belongs = np.exp(each[:, 1] - whole)
        share = float(np.clip(belongs.mean(), 1e-6, 1 - 1e-6))
        weight = np.column_stack([1 - belongs, belongs])
        # half a win and half a loss keep a camp that never wavers off 0 and 1
        rates = (weight.T @ k + 0.5) / (weight.T @ n + 1)
    return _Two(share, (float(rates[0]), float(rates[1])), belongs, float(whole.sum()))


def _broad(k: NDArray[np.float64], n: NDArray[np.float64]) -> float:
    """The log-likelihood of one group whose win rates follow a beta distribution."""

    def cost(at: NDArray[np.float64]) -> float:
        middle, size = (
            float(np.clip(scipy.special.expit(at[0]), 1e-6, 1 - 1e-6)),
            float(np.exp(at[1])),
        )
        a, b = middle * size, (1 - middle) * size
        return -float((scipy.special.betaln(a + k, b + n - k) - scipy.special.betaln(a, b)).sum())

    rate = float(np.clip(k.sum() / n.sum(), 0.01, 0.99))
    centre = np.log(rate / (1 - rate))
    bounds = [(-12, 12), (-5, 10)]
    fits = [
        scipy.optimize.minimize(cost, [centre, np.log(size)], bounds=bounds)
        for size in (3.0, 100.0)
    ]
    return -min(float(fit.fun) for fit in fits)
