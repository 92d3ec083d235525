"""The paired tests that translation research reports, as sacrebleu defines them.

The same seed and number of trials give sacrebleu's p. Parts are a row's sufficient statistics.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.stats.intervals import FromParts

SEED = 12345  # sacrebleu's own
TRIALS, RESAMPLES = 10_000, 1_000
BLOCK = 2_000_000  # numbers of a matrix of draws at once
Parts = Sequence[Sequence[float]]


def approximate_randomisation(
    base: Parts, new: Parts, from_parts: FromParts, trials: int = TRIALS, seed: int = SEED
) -> float:
    """Two-sided p: how often a swap of rows between the two makes a larger difference.

    Source: Riezler and Maxwell 2005, W05-0908.
    """
    ours, theirs, seen = _both(base, new, from_parts)
    take = np.random.default_rng(seed).integers(2, size=(trials, len(ours)), dtype=bool)
    first = take @ ours + ~take @ theirs
    second = ~take @ ours + take @ theirs
    drawn = [abs(from_parts(a) - from_parts(b)) for a, b in zip(first, second, strict=True)]
    return _p(np.array(drawn), seen)


def paired_bootstrap(
    base: Parts, new: Parts, from_parts: FromParts, resamples: int = RESAMPLES, seed: int = SEED
) -> float:
    """Two-sided p from rows drawn again, the mean difference of the draws taken off.

    Source: Koehn 2004, W04-3250, in the form of Moses' script.
    """
    ours, theirs, seen = _both(base, new, from_parts)
    rows = len(ours)
    drawn = np.random.default_rng(seed).choice(rows, size=(resamples, rows), replace=True)
    found = np.concatenate(
        [_drawn(ours, theirs, block, from_parts) for block in _blocks(drawn, ours.shape[1])]
    )
    return _p(found - found.mean(), seen)


def _both(
    base: Parts, new: Parts, from_parts: FromParts
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    ours, theirs = np.asarray(base, dtype=float), np.asarray(new, dtype=float)
    return ours, theirs, abs(from_parts(ours.sum(0)) - from_parts(theirs.sum(0)))


def _blocks(drawn: NDArray[np.int_], width: int) -> list[NDArray[np.int_]]:
    step = max(1, BLOCK // (drawn.shape[1] * width))
    return [drawn[at : at + step] for at in range(0, len(drawn), step)]


def _drawn(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    rows: NDArray[np.int_],
    from_parts: FromParts,
) -> NDArray[np.float64]:
    pairs = zip(ours[rows].sum(1), theirs[rows].sum(1), strict=True)
    return np.array([abs(from_parts(b) - from_parts(a)) for a, b in pairs])


def _p(drawn: NDArray[np.float64], seen: float) -> float:
    """With the one added that keeps the level; a system against itself is not by chance."""
    larger = int((drawn > seen + 1e-12).sum())
    return (larger + 1) / (len(drawn) + 1)
