"""Whether a model wins because its answers are longer, or stood on the favoured side.

N: votes, P: columns of the regression.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.stats.intervals import Interval, wilson
from engine.stats.rated_pairs import RatedPair, between, counted

ASSOCIATION = (
    "This cannot tell raters who like length from answers that are longer because they are better."
)
LONGER = 0.6  # from this share on, raters may be rewarding length
FARTHEST = 12.0  # beyond these log odds, a coefficient stands for "always" and has no value


class Fit(NamedTuple):
    """Coefficients (P,), their cluster-robust covariance (P, P), and the number of clusters."""

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    clusters: int


class Effect(BaseModel):
    """A coefficient in log odds, with its cluster-robust standard error and two-sided p."""

    model_config = ConfigDict(frozen=True)

    value: float
    error: float
    p: float


class LengthControlled(BaseModel):
    """`win_rate` is what the new model would win with answers of equal length on both sides.

    Of logit P(left wins) = side + model * (1 new on the left, -1 on the right) + length *
    tanh(difference in length / its standard deviation). All four are None where the votes cannot
    tell them apart; `length` too where lengths are not known or all alike. `raw` is the plain mean
    over votes with ties as half.
    """

    model_config = ConfigDict(frozen=True)

    raw: float
    win_rate: float | None
    low: float
    high: float
    model: Effect | None
    side: Effect | None
    length: Effect | None
    votes: int
    prompts: int
    sentence: str


class LongerChosen(BaseModel):
    """How often the longer answer won; `share` is one half where no vote can tell."""

    model_config = ConfigDict(frozen=True)

    longer: int
    shorter: int
    share: float
    low: float
    high: float
    warn: bool
    sentence: str


def length_controlled(
    rated: Sequence[RatedPair], new: str, level: float = 0.95
) -> LengthControlled:
    """The win rate of `new` once side and length are accounted for; ties count as half.

    Standard errors allow for several votes on a prompt. UserError where no vote is about `new`.
    Source: the tanh form of AlpacaEval's length control, arXiv:2404.04475.
    """
    votes = between(counted(rated), new)
    raw = float(np.mean([vote.score(new) for vote in votes]))
    on_left = [1.0 if vote.left == new else -1.0 for vote in votes]
    shape = _length_column(votes)
    columns = [np.ones(len(votes)), np.array(on_left), *([] if shape is None else [shape])]
    prompts = [vote.prompt for vote in votes]
    fit = logit(np.column_stack(columns), [vote.left_score for vote in votes], prompts)
    side, model, length = _effects(fit)
    bounds = _bounds(fit, level)
    rate = None if model is None else float(scipy.special.expit(model.value))
    return LengthControlled(
        raw=raw, win_rate=rate, low=bounds.low, high=bounds.high, model=model, side=side,
        length=length, votes=len(votes), prompts=len(set(prompts)),
        sentence=_sentence(raw, rate, bounds, length, level),
    )  # fmt: skip


def _length_column(votes: Sequence[RatedPair]) -> NDArray[np.float64] | None:
    """Tanh of left minus right length in standard deviations; None without lengths that differ."""
    known = [
        vote.left_len - vote.right_len
        for vote in votes
        if vote.left_len is not None and vote.right_len is not None
    ]
    if len(known) < len(votes):
        if known:
            raise UserError(
                f"{len(votes) - len(known)} of {len(votes)} votes have no lengths.",
                "Give both lengths in every line, or in none.",
            )
        return None
    spread = float(np.std(known))
    return np.tanh(np.asarray(known) / spread) if spread > 0 else None


def _effects(fit: Fit | None) -> tuple[Effect | None, Effect | None, Effect | None]:
    """The effects of side, model and length."""
    if fit is None:
        return None, None, None
    errors = np.sqrt(np.diag(fit.covariance))
    found = [
        Effect(
            value=float(b),
            error=float(se),
            p=float(2 * scipy.stats.norm.sf(abs(b) / se)) if se else 1.0,
        )
        for b, se in zip(fit.coefficients, errors, strict=True)
    ]
    return found[0], found[1], found[2] if len(found) > 2 else None


def _bounds(fit: Fit | None, level: float) -> Interval:
    if fit is None:
        return Interval(0.0, 1.0)
    half = (
        float(scipy.stats.t.ppf((1 + level) / 2, fit.clusters - 1))
        * float(fit.covariance[1, 1]) ** 0.5
    )
    low, high = (float(scipy.special.expit(fit.coefficients[1] + side)) for side in (-half, half))
    return Interval(low, high)


def _sentence(
    raw: float, rate: float | None, bounds: Interval, length: Effect | None, level: float
) -> str:
    if rate is None:
        return (
            f"The new model wins {raw * 100:.1f} % with ties as half, but these votes cannot tell "
            f"the model from its side or its length: collect more, with sides mixed."
        )
    range_ = f"{level * 100:g} % interval {bounds.low * 100:.1f} to {bounds.high * 100:.1f} %"
    equal = "sides" if length is None else "lengths and sides"
    found = f"With equal {equal} the new model would win {rate * 100:.1f} % ({range_})"
    if bounds.low > 0.5 and raw > 0.5:
        reading = f"its win is not explained by {'side' if length is None else 'length or side'}"
    elif bounds.low > 0.5:
        reading = "once they are equal the new model is preferred"
    elif bounds.high < 0.5:
        reading = "among answers of equal length the other model is preferred"
        if length is None:
            reading = "with equal sides the other model is preferred"
    else:
        reading = "no difference beyond them is shown"
    text = f"{found}, beside {raw * 100:.1f} % as counted: {reading}."
    if length is None or bounds.low > 0.5:
        return text
    return f"{text} {ASSOCIATION}"


def longer_chosen(rated: Sequence[RatedPair], level: float = 0.95) -> LongerChosen:
    """How often the longer answer won, of votes with a winner and two different lengths.

    It warns from 60 % on where the interval leaves out one half.
    """
    votes = [
        (vote.left_len - vote.right_len) * (2 * vote.left_score - 1)
        for vote in counted(rated)
        if vote.left_len is not None and vote.right_len is not None
    ]
    longer, shorter = sum(each > 0 for each in votes), sum(each < 0 for each in votes)
    n = longer + shorter
    if n == 0:
        return LongerChosen(
            longer=0, shorter=0, share=0.5, low=0.0, high=1.0, warn=False,
            sentence="No vote can tell whether raters prefer longer answers.",
        )  # fmt: skip
    share, bounds = longer / n, wilson(longer / n, n, level)
    warn = share >= LONGER and bounds.low > 0.5
    found = (
        f"the longer answer won {longer} of {n} votes ({share * 100:.0f} %, {level * 100:g} % "
        f"interval {bounds.low * 100:.0f} to {bounds.high * 100:.0f} %)"
    )
    if warn:
        text = f"Your raters may be rewarding length: {found}."
    elif bounds.low > 0.5:
        text = f"Longer answers win somewhat more often: {found}."
    elif bounds.high < 0.5:
        text = f"Shorter answers win more often: {found}."
    else:
        text = f"It is not shown that length matters: {found}."
    return LongerChosen(
        longer=longer, shorter=shorter, share=share, low=bounds.low, high=bounds.high, warn=warn,
        sentence=text,
    )  # fmt: skip


def logit(columns_NP: ArrayLike, scores_N: ArrayLike, clusters: Sequence[Hashable]) -> Fit | None:
    """The fit of scores in [0, 1] by Newton's method; votes of one cluster may depend.

    None where the columns cannot be told apart, where a column decides every vote, or with a
    single cluster. One half is a tie: the quasi-likelihood of Papke and Wooldridge 1996, J. Appl.
    Econometrics 11:619. Covariance: Liang and Zeger 1986, with Stata's small-sample factor.
    """
    x, y = np.asarray(columns_NP, dtype=float), np.asarray(scores_N, dtype=float)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    (n, p), groups = x.shape, len(numbers)
    if n <= p or groups < 2 or np.linalg.matrix_rank(x) < p:
        return None
    at = _newton(x, y)
    if at is None:
        return None
    chance = scipy.special.expit(x @ at)
    bread = np.linalg.inv((x * (chance * (1 - chance))[:, None]).T @ x)
    slopes = np.zeros((groups, p))
    np.add.at(slopes, [numbers[name] for name in clusters], x * (y - chance)[:, None])
    factor = groups / (groups - 1) * (n - 1) / (n - p)
    return Fit(at, factor * bread @ slopes.T @ slopes @ bread, groups)


def _newton(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64] | None:
    at = np.zeros(x.shape[1])
    for _ in range(50):
        chance = scipy.special.expit(x @ at)
        curve = (x * (chance * (1 - chance))[:, None]).T @ x
        if np.linalg.cond(curve) > 1e12:
            return None
        step = np.linalg.solve(curve, x.T @ (y - chance))
        at = at + np.clip(step, -2, 2)
        if np.abs(at).max() > FARTHEST:
            return None
        if np.abs(step).max() < 1e-10:
            return np.asarray(at)
    return None
