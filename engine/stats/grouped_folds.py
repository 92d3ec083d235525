"""Folds of a cross-validation in which the rows of one group never part, and shares by group."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from engine.core.reward_head import Accuracy
from engine.stats.intervals import mean_interval

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]


def numbered(groups: Sequence[str]) -> Places:
    """Each row's group as a number from 0, in the order of their names."""
    return np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)[1]


def folds(groups: Places, most: int, seed: int) -> Places:
    """Each row's fold; groups are dealt out evenly by chance, at most one fold a group."""
    names = np.unique(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = np.empty(len(names), dtype=np.int64)
    fold_of[order] = np.arange(len(names)) % max(1, min(most, len(names)))
    return np.asarray(fold_of[np.searchsorted(names, groups)])


def by_group(values: Numbers, weights: Numbers, groups: Places) -> Numbers:
    """The weighted mean of the values of each group, in the order of the groups' numbers."""
    found = [groups == one for one in np.unique(groups)]
    return np.array([np.average(values[rows], weights=weights[rows]) for rows in found])


def share(values: Numbers, weights: Numbers, groups: Places, parts: int = 0) -> Accuracy:
    """The mean over groups of values from 0 to 1, with its bounds.

    Values of a cross-validation of so many `parts` depend on one another: two rows alike are right
    or wrong together. Their variance counts 1 + parts / (parts - 1) times. Source: Nadeau and
    Bengio 2003, Machine Learning 52:239.
    """
    each = by_group(values, weights, groups)
    mean, bounds = fmean(each), mean_interval(each)
    wider = (1 + parts / (parts - 1)) ** 0.5 if parts > 1 else 1.0
    low, high = (mean + wider * (bound - mean) for bound in bounds)
    return Accuracy(share=mean, low=max(0.0, low), high=min(1.0, high))
