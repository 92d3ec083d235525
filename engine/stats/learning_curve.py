"""Is there data enough? What the held-out loss does as the training rows grow, and would do on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from engine.core.errors import UserError
from engine.core.learning_curve import (
    LastDoubling,
    Law,
    LearningCurve,
    MoreData,
    Point,
    Shape,
)

EXPONENTS = np.geomspace(0.02, 3.0, 200)
DECAYS = np.geomspace(0.02, 1.0, 200)  # of the largest size; slower ones gain more at each doubling
WORTH = 0.01  # of the loss: a smaller gain is not worth collecting as many rows again
LEVEL = 0.95
MISFIT = 0.01  # a curve that chance misses the points by as much, so seldom, is no curve of them
FEWEST_SIZES, FEWEST_SEEDS = 3, 2

Numbers = NDArray[np.float64]


class _Groups(NamedTuple):
    """The losses at growing sizes: means over the seeds, and the spread between seeds."""

    sizes: Numbers
    means: Numbers
    counts: NDArray[np.int_]
    spread: float
    free: int


class _Shapes(NamedTuple):
    """One shape a row: its values at the sizes (`at`), and at twice the largest (`twice`)."""

    at: Numbers
    twice: Numbers


class _Fits(NamedTuple):
    """The least squares line through each shape: loss = middle + slope * (shape - its mean)."""

    slopes: Numbers
    errors: Numbers
    squares: Numbers  # of the shape, about its mean
    floors: Numbers


def learning_curve(losses: Mapping[int, Sequence[float]]) -> LearningCurve:
    """What the losses of several seeds at each size say about twice the data.

    Power laws, the logarithm and exponentials that have slowed down are fitted; the interval of
    the gain holds all that the losses do not contradict (profile likelihood, the spread between
    seeds pooled over sizes). A gain is claimed only where the last doubling shows one too, since a
    curve that has become flat looks like a law to what came before. UserError below three sizes or
    two seeds. Source of the power law: Hestness et al. 2017, arXiv:1712.00409, equation 1; of
    the other shapes: Viering and Loog, arXiv:2103.10948.
    """
    found = _groups(losses)
    shapes = _shapes(found.sizes)
    fits = _fit(found, shapes)
    best = int(fits.errors.argmin())
    falls = shapes.at[:, -1] - shapes.twice
    last = _last_doubling(found)
    low, high = _profile(found, fits, falls)
    low = low if last.low > 0 else min(low, 0.0)
    gain = min(high, max(low, float(fits.slopes[best] * falls[best])))
    decision = _decide(found, float(fits.errors[best]), last, low, high)
    return LearningCurve(
        points=_points(found),
        law=_law(found.sizes, fits, best),
        gain=gain,
        gain_low=low,
        gain_high=high,
        worth_it=decision is MoreData.WORTH,
        decision=decision,
        last_doubling=last,
        sentence=_sentence(decision, gain, low, high, last),
    )


def _groups(losses: Mapping[int, Sequence[float]]) -> _Groups:
    sizes = sorted(losses)
    groups = [np.asarray(losses[size], dtype=float) for size in sizes]
    if len(groups) < FEWEST_SIZES or min(map(len, groups)) < FEWEST_SEEDS:
        raise UserError(
            "A learning curve needs three sizes and two seeds at each.",
            "Let it train on more shares of the data.",
        )
    if not all(np.isfinite(group).all() for group in groups):
        raise UserError("A training ended without a loss.", "Lower the learning rate.")
    free = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return _Groups(
        np.asarray(sizes, dtype=float),
        np.array([group.mean() for group in groups]),
        np.array([len(group) for group in groups]),
        (squares / free) ** 0.5,
        free,
    )


def _shapes(sizes: Numbers) -> _Shapes:
    """The logarithm, then the powers, then the exponentials; sizes in units of the largest."""
    x, twice = sizes / sizes[-1], 2.0
    values = [
        -np.log(x)[None, :],
        x ** -EXPONENTS[:, None],
        np.exp(-(x - x[0]) / DECAYS[:, None]),
    ]
    beyond = [[-np.log(twice)], twice**-EXPONENTS, np.exp(-(twice - x[0]) / DECAYS)]
    return _Shapes(np.concatenate(values), np.concatenate(beyond))


def _fit(found: _Groups, shapes: _Shapes) -> _Fits:
    """A line through each shape; a rising one is let through, since more data can harm."""
    weight = found.counts / found.counts.sum()
    centre = shapes.at @ weight
    about = shapes.at - centre[:, None]
    middle = float(found.means @ weight)
    squares = (about**2) @ found.counts
    slopes = (about * found.counts) @ (found.means - middle) / squares
    misses = (found.means - middle) - slopes[:, None] * about
    return _Fits(slopes, (misses**2) @ found.counts, squares, middle - slopes * centre)


def _profile(found: _Groups, fits: _Fits, falls: Numbers) -> tuple[float, float]:
    """Least and most that twice the data gains under any shape that the losses allow."""
    slack = (found.spread * _quantile(found.free)) ** 2 - (fits.errors - fits.errors.min())
    allowed = slack >= 0
    half = np.sqrt(np.maximum(slack, 0.0) / fits.squares)
    low, high = (fits.slopes - half) * falls, (fits.slopes + half) * falls
    return float(low[allowed].min()), float(high[allowed].max())


def _last_doubling(found: _Groups) -> LastDoubling:
    """The drop from about half of the rows to all, for each doubling between the two."""
    before = int(np.abs(np.log(2 * found.sizes[:-1] / found.sizes[-1])).argmin())
    doublings = float(np.log2(found.sizes[-1] / found.sizes[before]))
    drop = float(found.means[before] - found.means[-1])
    error = found.spread * (1 / found.counts[before] + 1 / found.counts[-1]) ** 0.5
    half = _quantile(found.free) * float(error)
    return LastDoubling(
        before=int(found.sizes[before]),
        rows=int(found.sizes[-1]),
        drop=drop / doublings,
        low=(drop - half) / doublings,
        high=(drop + half) / doublings,
    )


def _decide(found: _Groups, error: float, last: LastDoubling, low: float, high: float) -> MoreData:
    least = WORTH * abs(float(found.means[-1]))
    if high <= 0:
        return MoreData.HARMS
    if _misfits(found, error):
        return MoreData.NO_CURVE
    if high < least:
        return MoreData.HARDLY
    if low <= 0 or last.low <= 0:
        return MoreData.NOT_SHOWN
    return MoreData.WORTH if low >= least else MoreData.MAYBE


def _misfits(found: _Groups, error: float) -> bool:
    """Whether even the best curve misses the means by more than seeds differ."""
    spare = len(found.sizes) - 3  # floor, scale and exponent are fitted
    if spare < 1 or found.spread == 0:
        return False
    ratio = error / spare / found.spread**2
    return float(scipy.stats.f.sf(ratio, spare, found.free)) < MISFIT


def _points(found: _Groups) -> tuple[Point, ...]:
    half = _quantile(found.free) * found.spread
    return tuple(
        Point(size=int(s), mean=m, low=m - half / n**0.5, high=m + half / n**0.5, n=n)
        for s, m, n in zip(
            found.sizes.tolist(), found.means.tolist(), found.counts.tolist(), strict=True
        )
    )


def _law(sizes: Numbers, fits: _Fits, best: int) -> Law:
    """The best fit in rows, no longer in units of the largest size."""
    largest, slope, floor = float(sizes[-1]), float(fits.slopes[best]), float(fits.floors[best])
    if best == 0:
        floor += slope * float(np.log(largest))
        return Law(floor=floor, scale=slope, shape=Shape.LOGARITHM)
    if best <= len(EXPONENTS):
        exponent = float(EXPONENTS[best - 1])
        return Law(floor=floor, scale=slope * largest**exponent, exponent=exponent)
    rows = float(DECAYS[best - 1 - len(EXPONENTS)]) * largest
    scale = slope * float(np.exp(sizes[0] / rows))
    return Law(floor=floor, scale=scale, rows=rows, shape=Shape.EXPONENTIAL)


def _quantile(free: int) -> float:
    return float(scipy.stats.t.ppf((1 + LEVEL) / 2, free))


def _sentence(decision: MoreData, gain: float, low: float, high: float, last: LastDoubling) -> str:
    if decision is MoreData.HARMS:
        return "No gain shown: more rows did not lower the held-out loss."
    if decision is MoreData.NO_CURVE:
        return (
            "The losses follow no smooth curve, so they do not tell what more data would do. "
            "Train with more seeds."
        )
    most = f"twice the data would lower the held-out loss by {max(high, 0.0):.3f} at most"
    if decision is MoreData.NOT_SHOWN:
        return f"No gain shown: {_last(last)}; {most}."
    if low <= 0:
        return f"No gain shown: {most}, hardly worth collecting."
    text = f"Twice the data would lower the held-out loss by about {gain:.3f}"
    text += f" ({low:.3f} to {high:.3f}): "
    text += {
        MoreData.WORTH: "worth collecting.",
        MoreData.MAYBE: "it may be worth collecting, and more seeds would narrow this.",
    }.get(decision, "hardly worth collecting.")
    return (
        f"{text} This assumes rows like these, and a curve that goes on as smoothly as up to "
        f"{last.rows:,} rows: a bend after {last.before:,} rows would not show."
    )


def _last(last: LastDoubling) -> str:
    if last.low > 0:
        return (
            f"the loss fell from {last.before:,} to {last.rows:,} rows, but may have levelled off"
        )
    return f"from {last.before:,} to {last.rows:,} rows the loss fell by no more than chance"
