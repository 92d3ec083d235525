"""Features and reasons that tell what raters prefer: exact tests, Holm, and what chance does."""

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from engine.stats.team_preferences import find_preferences

NUMBER, FEATURES = 60, 14


def answers(rng, number=NUMBER):
    return rng.integers(-2, 3, (number, FEATURES)).astype(float)


def found_in(differences, reasons=None, groups=None):
    n = len(differences)
    return find_preferences(
        differences,
        np.ones(n),
        np.arange(n) if groups is None else groups,
        reasons if reasons is not None else [()] * n,
    )


def followed(rng, differences, feature, noise=0.1):
    """The differences from the side of the answer that the raters chose."""
    n = len(differences)
    votes = np.sign(differences[:, feature])
    votes = np.where(votes == 0, rng.choice([-1, 1], n), votes)
    return differences * (votes * np.where(rng.random(n) < noise, -1, 1))[:, None]


def test_p_values_are_those_of_the_sign_test_with_holm_as_statsmodels_has_it():
    rng = np.random.default_rng(1)
    differences = followed(rng, answers(rng), 3)
    signs = np.sign(differences)
    raw = [binomtest(int((each > 0).sum()), int((each != 0).sum()), 0.5).pvalue for each in signs.T]
    found = found_in(differences).features
    assert [one.p for one in found] == pytest.approx(multipletests(raw, method="holm")[1])
    assert [one.stands for one in found] == [n == 3 for n in range(FEATURES)]
    assert [one.feature for one in found] == list(range(FEATURES))


def test_agreement_is_that_of_votes_left_out():
    """48 of 60 questions go one way: the direction is the same in every part."""
    column = np.ones((NUMBER, 1))
    column[:12] = -1
    (found,) = found_in(column).features
    assert (found.direction, found.questions) == (1, NUMBER)
    assert found.agreement.share == pytest.approx(0.8)
    (even,) = found_in(np.tile([[1.0], [-1.0]], (30, 1))).features
    assert even.agreement.share <= 0.5  # what is left out goes against the rest
    assert not even.stands


def test_pairs_of_one_question_count_once():
    column = np.repeat([[1.0]] * 5, 12, axis=0)
    (found,) = found_in(column, groups=np.repeat(np.arange(5), 12)).features
    assert (found.agreement, found.questions, found.p) == (None, 5, 1)


def test_no_feature_stands_with_coin_tossing_raters():
    """300 rounds of 60 votes and 14 features, two nearly the same: none in at least 95 %."""
    rng = np.random.default_rng(2)
    some = 0
    for _ in range(300):
        differences = answers(rng)
        differences[:, 5] = differences[:, 4] + (rng.random(NUMBER) < 0.1)
        votes = rng.choice([-1, 1], NUMBER)
        some += any(one.stands for one in found_in(differences * votes[:, None]).features)
    assert some <= 15


def test_nothing_stands_with_coin_tossing_raters_who_give_reasons():
    """40 rounds in which two reasons are given at random; choosing a feature is allowed for."""
    rng = np.random.default_rng(3)
    some = 0
    for _ in range(40):
        differences = answers(rng) * rng.choice([-1, 1], NUMBER)[:, None]
        reasons = [
            [name for name in ("clearer", "safer") if rng.random() < 0.4] for _ in differences
        ]
        found = found_in(differences, reasons)
        some += any(one.stands for one in [*found.features, *found.reasons.values()])
    assert some <= 3


def test_rule_of_raters_is_found_and_it_is_what_their_reason_means():
    rng = np.random.default_rng(4)
    right = meant = 0
    for _ in range(20):
        differences = followed(rng, answers(rng), 2)
        found = found_in(differences, [("right length",)] * NUMBER)
        right += found.features[2].stands and found.features[2].direction == 1
        reason = found.reasons["right length"]
        meant += reason.stands and reason.feature == 2
    assert right == 20
    assert meant >= 19


def test_less_of_a_feature_may_be_what_is_preferred():
    rng = np.random.default_rng(5)
    found = found_in(-followed(rng, answers(rng), 2)).features[2]
    assert (found.stands, found.direction) == (True, -1)


def test_reason_that_few_votes_give_is_left_out():
    rng = np.random.default_rng(6)
    reasons = [("safer",) if n < 9 else () for n in range(NUMBER)]
    assert found_in(answers(rng), reasons).reasons == {}
