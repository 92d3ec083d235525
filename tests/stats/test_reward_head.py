"""The reward head's statistics: the fit beside scikit-learn's, and what is refused how often."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from engine.stats import grouped_folds, reward_head
from engine.stats.reward_head import Pairs


def pairs(differences, groups=None, longer=None, weights=None):
    n = len(differences)
    return Pairs(
        np.asarray(differences, dtype=float),
        np.ones(n) if weights is None else weights,
        np.arange(n) if groups is None else groups,
        np.full(n, 0.5) if longer is None else longer,
    )


@pytest.mark.parametrize("penalty", reward_head.PENALTIES)
def test_fit_equals_logistic_regression_of_scikit_learn(penalty):
    """Each pair is a row of its own direction and one of the other, at half the weight."""
    rng = np.random.default_rng(4)
    rows, weights = rng.normal(size=(40, 7)) + 0.3, rng.uniform(0.2, 1, 40)
    theirs = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs.fit(
        np.concatenate([rows, -rows]),
        np.repeat([1, 0], 40),
        sample_weight=np.concatenate([weights, weights]) / 2,
    )
    found = reward_head.fit(rows, weights, penalty)
    assert found == pytest.approx(theirs.coef_[0], abs=1e-5)


def test_head_of_all_pairs_scores_states_as_the_fit_in_the_turned_basis():
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(30, 90)) * rng.uniform(0.01, 50, 90)
    given = pairs(rows)
    _, _, reduced = reward_head._reduced(given)
    expected = reduced.differences @ reward_head._chosen_fit(reduced)
    assert rows @ reward_head.trained(given) == pytest.approx(expected, abs=1e-8)


def test_held_out_margins_never_see_a_pair_of_the_same_group():
    """Twins with opposite votes: whoever saw one is wrong of the other."""
    rng = np.random.default_rng(2)
    rows = np.repeat(rng.normal(size=(20, 60)), 2, axis=0)
    rows[1::2] *= -1
    margins = reward_head.held_out_margins(pairs(rows, np.repeat(np.arange(20), 2)))
    assert margins[::2] == pytest.approx(-margins[1::2])
    assert np.abs(margins).max() < 1e-6  # in each part the twins cancel out


def simulated(rng, rule, number=60, width=8):
    """States of two answers, and the votes of raters who follow a rule in 9 of 10 questions.

    The answers' first number is their length.
    """
    rows = rng.normal(size=(number, width))
    votes = np.where(rng.random(number) < 0.9, rule(rows), -rule(rows))
    longer = (rows[:, 0] * votes > 0).astype(float)
    return pairs(rows * votes[:, None], longer=longer)


def test_head_of_coin_tossing_raters_is_refused():
    """60 rounds of 60 votes: refused in at least 95 %."""
    rng = np.random.default_rng(11)
    rounds = [simulated(rng, lambda rows: rng.choice([-1, 1], len(rows))) for _ in range(60)]
    refused = sum(bool(reward_head.cross_validated(one).refused) for one in rounds)
    assert refused >= 57


def test_head_of_raters_with_a_rule_is_found():
    """60 votes that follow one direction of the states, which is not that of length."""
    rng = np.random.default_rng(12)
    found = [
        reward_head.cross_validated(simulated(rng, lambda rows: np.sign(rows[:, 3])))
        for _ in range(20)
    ]
    assert np.mean([one.accuracy.share for one in found]) > 0.7
    assert sum(not one.refused for one in found) >= 16


def test_head_that_knows_length_alone_is_refused():
    rng = np.random.default_rng(13)
    given = simulated(rng, lambda rows: np.sign(rows[:, 0]), number=200)
    assert reward_head.cross_validated(given).refused == "length"


def test_head_of_fewer_than_twenty_questions_is_refused_however_many_pairs():
    rng = np.random.default_rng(14)
    rows = np.abs(rng.normal(size=(60, 4)))
    found = reward_head.cross_validated(pairs(rows, np.repeat(np.arange(15), 4)))
    assert (found.refused, found.accuracy.share) == ("few", 1)


def test_share_counts_a_question_once_however_many_pairs_it_has():
    hits, groups = np.array([1.0, 1, 1, 0]), np.array([0, 0, 0, 1])
    assert grouped_folds.share(hits, np.ones(4), groups).share == pytest.approx(0.5)
    weights = np.array([0.5, 0.25, 0.25, 1])
    assert grouped_folds.by_group(np.array([1.0, 0, 0, 0]), weights, groups)[0] == 0.5


def test_folds_keep_groups_whole_and_are_even():
    groups = grouped_folds.numbered([f"g{n % 25}" for n in range(100)])
    fold_of = grouped_folds.folds(groups, 10, 1)
    assert all(len(set(fold_of[groups == one])) == 1 for one in range(25))
    assert {np.unique(groups[fold_of == fold]).size for fold in range(10)} == {2, 3}
    assert set(grouped_folds.folds(groups[:3], 10, 1)) == {0, 1, 2}
