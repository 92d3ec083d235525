"""Which features of an answer, and which stated reasons, tell what raters prefer.

A feature is tested by the sign test over questions. A reason is read as the feature that best tells
the votes with it; choosing that feature is part of what is tested, so its p comes from turning the
votes of whole questions around by chance. Holm allows for all of them together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from engine.core.reward_head import Accuracy
from engine.stats import grouped_folds
from engine.stats.grouped_folds import Numbers, Places
from engine.stats.intervals import SAME
from engine.stats.multiple_testing import holm

ALPHA = 0.05
FEWEST_QUESTIONS = 6  # the sign test shows nothing of fewer
FEWEST_WITH_REASON = 10
FOLDS, SEED = 10, 1
TURNS = 1999  # so that p is 1/2000 at least


class TestedFeature(NamedTuple):
    """`direction`: 1 where more of it is preferred, -1 where less, 0 where neither.

    `feature` is the place of the feature that a reason means, or that of the feature itself.
    """

    feature: int
    direction: int
    agreement: Accuracy | None
    questions: int
    p: float
    stands: bool


class TestedPreferences(NamedTuple):
    """The features in their order, and the reasons that enough votes give, by name."""

    features: list[TestedFeature]
    reasons: dict[str, TestedFeature]


def find_preferences(
    differences: Numbers,
    weights: Numbers,
    groups: Places,
    reasons: Sequence[Sequence[str]] = (),
) -> TestedPreferences:
    """`differences`: of each pair, each feature of the chosen answer less that of the rejected.

    `reasons` are those of each pair. p is that of all together.
    """
    signs = np.sign(differences)
    votes = np.array([_votes(signs[:, n], weights, groups) for n in range(signs.shape[1])])
    found = [_feature(n, signs[:, n], weights, groups, votes[n]) for n in range(len(votes))]
    given = {
        name: rows
        for name in sorted({each for one in reasons for each in one})
        if len(np.unique(groups[rows := np.array([name in one for one in reasons])]))
        >= FEWEST_WITH_REASON
    }
    meant = {name: _reason(signs[r], weights[r], groups[r]) for name, r in given.items()}
    allowed = _allowing([*found, *meant.values()])
    return TestedPreferences(
        allowed[: len(found)], dict(zip(meant, allowed[len(found) :], strict=True))
    )


def _allowing(found: Sequence[TestedFeature]) -> list[TestedFeature]:
    """With p values that allow for all of them, and what stands by those."""
    return [
        one._replace(
            p=p, stands=p < ALPHA and one.agreement is not None and one.agreement.share > 0.5
        )
        for one, p in zip(found, holm([each.p for each in found]), strict=True)
    ]


def _votes(signs: Numbers, weights: Numbers, groups: Places) -> Numbers:
    """The sign of each question: which way its votes go, all together."""
    totals = np.bincount(groups, weights=signs * weights)
    return np.where(np.abs(totals) < 1e-9, 0.0, np.sign(totals))


def _feature(
    place: int, signs: Numbers, weights: Numbers, groups: Places, votes: Numbers
) -> TestedFeature:
    more, decided = int((votes > 0).sum()), int((votes != 0).sum())
    differ = signs != 0
    questions = len(np.unique(groups[differ]))
    if not decided or questions < FEWEST_QUESTIONS:
        return TestedFeature(place, 0, None, questions, 1.0, False)
    hits = _held_out(signs[differ, None], weights[differ], groups[differ])
    agreement = grouped_folds.share(hits, weights[differ], groups[differ])
    p = float(binomtest(more, decided, 0.5).pvalue)
    return TestedFeature(place, int(np.sign(2 * more - decided)), agreement, questions, p, False)


def _reason(signs: Numbers, weights: Numbers, groups: Places) -> TestedFeature:
    """What the votes with one reason go by, and how well that tells the ones left out."""
    names, place = np.unique(groups, return_inverse=True)
    hits = _held_out(signs, weights, groups)
    agreement = grouped_folds.share(hits, weights, groups)
    turns = np.random.default_rng(SEED).choice([-1.0, 1.0], (TURNS, len(names)))[:, place]
    others = _mean_of_groups(_turned(signs, weights, groups, turns), weights, place)
    reached = int((others >= agreement.share - SAME).sum())
    totals = weights @ signs
    best = int(np.abs(totals).argmax())
    p = (1 + reached) / (1 + TURNS)
    return TestedFeature(best, int(np.sign(totals[best])), agreement, len(names), p, False)


def _held_out(signs: Numbers, weights: Numbers, groups: Places) -> Numbers:
    """For each pair whether it goes the way of the best feature of the other folds; 1/2 for none.

    With one feature only its direction is learned.
    """
    return np.asarray(_turned(signs, weights, groups, np.ones((1, len(signs))))[0])


def _turned(signs: Numbers, weights: Numbers, groups: Places, turns: Numbers) -> Numbers:
    """The same with the votes of each row of `turns` turned around where it holds -1."""
    fold_of = grouped_folds.folds(groups, FOLDS, SEED)
    weighed = signs * weights[:, None]
    parts = np.array(
        [turns[:, fold_of == fold] @ weighed[fold_of == fold] for fold in range(fold_of.max() + 1)]
    )
    others = np.round(parts.sum(axis=0) - parts, 9)  # fold, turn, feature
    best = np.abs(others).argmax(axis=2)
    direction = np.sign(np.take_along_axis(others, best[:, :, None], axis=2)[:, :, 0])
    chosen = signs[np.arange(len(signs)), best[fold_of].T]  # turn, pair
    return np.asarray((1 + turns * chosen * direction[fold_of].T) / 2)


def _mean_of_groups(hits: Numbers, weights: Numbers, place: Places) -> Numbers:
    """Of each row the mean over groups of their weighted means."""
    shares = weights / np.bincount(place, weights=weights)[place]
    return np.asarray(hits @ shares / (place.max() + 1))
