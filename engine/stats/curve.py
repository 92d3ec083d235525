"""Is there data enough? What the held-out loss does as the training rows grow, and would do on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from engine.core.errors import UserError
from engine.core.learning_curve import Law, LearningCurve, Point

EXPONENTS = np.geomspace(0.05, 3.0, 60)
DRAWS = 2000
WORTH = 0.01  # of the loss: a smaller gain is not worth collecting as many rows again
FEWEST_SIZES, FEWEST_SEEDS = 3, 2


class _Fits(NamedTuple):
    """One law a row: what it says of the largest size, and of twice that."""

    floor: NDArray[np.float64]
    scale: NDArray[np.float64]
    exponent: NDArray[np.float64]


def learning_curve(losses: Mapping[int, Sequence[float]], seed: int = 0) -> LearningCurve:
    """What the losses of several seeds at each size say about twice the data.

    The spread between seeds is taken to be the same at all sizes and is pooled, since two seeds
    say little about it; laws are fitted to means drawn anew from it. UserError below three sizes
    or two seeds. Source of the law: Hestness et al. 2017, arXiv:1712.00409, equation 1.
    """
    sizes = sorted(losses)
    groups = [np.asarray(losses[size], dtype=float) for size in sizes]
    _check(groups)
    means = np.array([group.mean() for group in groups])
    counts = np.array([len(group) for group in groups])
    spread, free = _pooled(groups)
    x = np.asarray(sizes, dtype=float)
    law = _fit(x, means[None, :], counts)
    drawn = _redrawn(means, counts, spread, free, seed)
    gains = _gain(_fit(x, drawn, counts), x[-1])
    low, high = (float(each) for each in np.quantile(gains, [0.025, 0.975]))
    gain = float(_gain(law, x[-1])[0])
    worth = low > 0 and gain >= WORTH * abs(float(means[-1]))
    half = float(t.ppf(0.975, free)) * spread
    return LearningCurve(
        points=tuple(
            Point(size=s, mean=m, low=m - half / n**0.5, high=m + half / n**0.5, n=n)
            for s, m, n in zip(sizes, means.tolist(), counts.tolist(), strict=True)
        ),
        law=Law(
            floor=float(law.floor[0]),
            scale=float(law.scale[0]),
            exponent=float(law.exponent[0]),
        ),
        gain=gain,
        gain_low=low,
        gain_high=high,
        worth_it=worth,
        sentence=_sentence(gain, low, high, worth),
    )


def _check(groups: Sequence[NDArray[np.float64]]) -> None:
    if len(groups) < FEWEST_SIZES or min(map(len, groups)) < FEWEST_SEEDS:
        raise UserError(
            "A learning curve needs three sizes and two seeds at each.",
            "Let it train on more shares of the data.",
        )
    if not all(np.isfinite(group).all() for group in groups):
        raise UserError("A training ended without a loss.", "Lower the learning rate.")


def _pooled(groups: Sequence[NDArray[np.float64]]) -> tuple[float, int]:
    """Standard deviation between seeds over all sizes, and its degrees of freedom."""
    free = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return (squares / free) ** 0.5, free


def _redrawn(
    means: NDArray[np.float64], counts: NDArray[np.int_], spread: float, free: int, seed: int
) -> NDArray[np.float64]:
    """Means as other seeds could have given them, one set a row; the spread is drawn too."""
    rng = np.random.default_rng(seed)
    spreads = spread * np.sqrt(free / rng.chisquare(free, DRAWS))
    noise = rng.standard_normal((DRAWS, len(means))) / np.sqrt(counts)
    drawn: NDArray[np.float64] = means + spreads[:, None] * noise
    return drawn


def _fit(x: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.int_]) -> _Fits:
    """The law with the least squares for each row of `y`, whose columns are sizes.

    At each exponent it is a line; the best exponent is kept. A negative scale is let through: more
    data can harm.
    """
    weight = counts / counts.sum()
    powers = (x / x[-1]) ** -EXPONENTS[:, None]  # (exponents, sizes), 1 at the largest size
    centred = powers - (powers @ weight)[:, None]
    middle = y @ weight
    slopes = (y * weight) @ centred.T / ((centred**2) @ weight)  # (rows, exponents)
    fitted = middle[:, None, None] + slopes[:, :, None] * centred
    errors = (((y[:, None, :] - fitted) ** 2) * weight).sum(2)
    best = errors.argmin(1)
    slope = slopes[np.arange(len(y)), best]
    exponent = EXPONENTS[best]
    floor = middle - slope * (powers @ weight)[best]
    return _Fits(floor, slope * x[-1] ** exponent, exponent)


def _gain(fits: _Fits, size: float) -> NDArray[np.float64]:
    """How much lower the loss gets from `size` to twice that."""
    now: NDArray[np.float64] = fits.scale * size**-fits.exponent
    gains: NDArray[np.float64] = now * (1 - 2**-fits.exponent)
    return gains


def _sentence(gain: float, low: float, high: float, worth: bool) -> str:
    if high <= 0:
        return "No gain shown: more rows did not lower the held-out loss."
    if low <= 0:
        text = "No gain shown: twice the data would lower the held-out loss by"
        return f"{text} {high:.3f} at most."
    text = f"Twice the data would lower the held-out loss by about {gain:.3f}"
    verdict = "worth collecting" if worth else "hardly worth collecting"
    return f"{text} ({low:.3f} to {high:.3f}): {verdict}."
