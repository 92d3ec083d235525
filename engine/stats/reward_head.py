"""A linear reward from preference pairs, and whether it tells pairs that it has not seen.

The model of Bradley and Terry 1952 (Biometrika 39:324) on differences of states: a logistic
regression without an intercept, with a ridge whose strength is chosen inside each training part.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from engine.core.reward_head import FEWEST_QUESTIONS, LEAST_ACCURACY, Accuracy, Refusal
from engine.stats import grouped_folds
from engine.stats.grouped_folds import Numbers, Places

PENALTIES = (0.03, 0.3, 3.0, 30.0)  # beside differences of a mean square of 1 in each column
OUTER, INNER = 10, 4
SEED = 1
COIN = 0.5
CLOSE = 1e-9  # of margins: closer answers are told apart by rounding alone


class Pairs(NamedTuple):
    """State of the chosen answer less that of the rejected one; a row is a pair."""

    differences: Numbers
    weights: Numbers
    groups: Places  # questions that say nearly the same are one group
    longer: Numbers  # 1 where the longer answer was chosen, 0 where the shorter, else 1/2

    def of(self, rows: NDArray[np.bool_]) -> "Pairs":
        return Pairs(
            self.differences[rows], self.weights[rows], self.groups[rows], self.longer[rows]
        )


class HeadTest(NamedTuple):
    """How often the head, and the longer answer, agree with pairs outside of their training.

    `gain` is the difference of the two, by question. `refused` says why it may not be used.
    """

    accuracy: Accuracy
    longer: Accuracy
    gain: Accuracy
    refused: Refusal


def fit(differences: Numbers, weights: Numbers, penalty: float) -> Numbers:
    """The coefficients that make the choices likeliest, less half the penalty times their square.

    The weighted sum of log(1 + exp(-x b)) + penalty / 2 * |b|^2 is minimised; it is convex.
    """

    def loss(found: Numbers) -> tuple[float, Numbers]:
        margins = differences @ found
        value = weights @ np.logaddexp(0, -margins) + penalty / 2 * found @ found
        return float(value), penalty * found - differences.T @ (weights * expit(-margins))

    start = np.zeros(differences.shape[1])
    options = {"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-8}
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)


def trained(pairs: Pairs) -> Numbers:
    """The coefficients of all pairs, on the scale of the states."""
    scale, basis, reduced = _reduced(pairs)
    return np.asarray(basis @ _chosen_fit(reduced) / scale)


def held_out_margins(pairs: Pairs) -> Numbers:
    """For each pair the log-odds of its choice by a head that saw no pair of its group."""
    _, _, reduced = _reduced(pairs)
    fold_of = grouped_folds.folds(pairs.groups, OUTER, SEED)
    found = np.zeros(len(fold_of))
    for fold in np.unique(fold_of):
        out = fold_of == fold
        if not out.all():
            found[out] = reduced.differences[out] @ _chosen_fit(reduced.of(~out))
    return found


def cross_validated(pairs: Pairs) -> HeadTest:
    """Cross-validated agreement, and whether it beats 60 % and the longer answer.

    It must be above 60 %, its 95 % interval above what a coin reaches, and the interval of its gain
    above 0; rows of the intervals are questions.
    """
    margins = held_out_margins(pairs)
    hits = np.where(np.abs(margins) < CLOSE, 0.5, margins > 0)
    accuracy = grouped_folds.share(hits, pairs.weights, pairs.groups, OUTER)
    longer = grouped_folds.share(pairs.longer, pairs.weights, pairs.groups)
    half = grouped_folds.share((1 + hits - pairs.longer) / 2, pairs.weights, pairs.groups, OUTER)
    gain = Accuracy(**{name: 2 * value - 1 for name, value in half.model_dump().items()})
    refused: Refusal = ""
    if len(np.unique(pairs.groups)) < FEWEST_QUESTIONS:
        refused = "few"
    elif accuracy.share <= LEAST_ACCURACY or accuracy.low <= COIN:
        refused = "chance"
    elif gain.low <= 0:
        refused = "length"
    return HeadTest(accuracy, longer, gain, refused)


def _reduced(pairs: Pairs) -> tuple[Numbers, Numbers, Pairs]:
    """The scale of each column, an orthonormal basis of the rows, and the rows in that basis.

    A ridge does not see the turn of the axes, and there are far fewer pairs than columns.
    """
    square = np.sqrt((pairs.differences**2).mean(axis=0))
    scale = np.where(square > 0, square, 1.0) * len(square) ** 0.5
    left, size, right = np.linalg.svd(pairs.differences / scale, full_matrices=False)
    return scale, right.T, pairs._replace(differences=left * size)


def _chosen_fit(pairs: Pairs) -> Numbers:
    """The fit with the penalty that loses least on held-out parts of these very pairs."""
    fold_of = grouped_folds.folds(pairs.groups, INNER, SEED)
    if len(np.unique(fold_of)) < 2:
        return fit(pairs.differences, pairs.weights, PENALTIES[-1])
    losses = dict.fromkeys(PENALTIES, 0.0)
    for fold in np.unique(fold_of):
        seen, out = pairs.of(fold_of != fold), pairs.of(fold_of == fold)
        for penalty in PENALTIES:
            margins = out.differences @ fit(seen.differences, seen.weights, penalty)
            losses[penalty] += float(out.weights @ np.logaddexp(0, -margins))
    best = min(losses, key=lambda each: (losses[each], -each))
    return fit(pairs.differences, pairs.weights, best)
