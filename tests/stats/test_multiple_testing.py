from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from engine.core.evaluation import Gain, GainDecision
from engine.core.evaluation_sentences import QUESTIONS, headline
from engine.stats.multiple_testing import adjusted, holm
from engine.stats.paired import paired_gain

BETTER, WORSE, NO_DIFFERENCE, TOO_FEW = GainDecision


def test_holm_gives_the_values_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    places = range(len(p_values))
    families = [f for size in places for f in combinations(places, size + 1)]
    for place, ours in enumerate(holm(p_values)):
        worst = max(len(f) * min(p_values[k] for k in f) for f in families if place in f)
        assert ours == pytest.approx(min(1, worst))


def test_holm_of_no_comparison_adjusts_nothing():
    assert holm([]) == ()
    assert adjusted({}) == {}


def of(decision, p):
    text = f"{headline(decision)}: +0.10 (95 % interval 0.01 to 0.19) on 60 held-out rows."
    return Gain(diff=0.1, low=0.01, high=0.19, p=p, n=60, decision=decision, sentence=text)


def test_winner_that_luck_explains_is_taken_back_in_one_sentence():
    gains = {"a": of(BETTER, 0.03), "b": of(WORSE, 0.001), "c": of(NO_DIFFERENCE, 0.6)}
    found = adjusted(gains)
    assert [gain.p for gain in found.values()] == pytest.approx([0.06, 0.003, 0.6])
    assert found["a"].sentence == (
        "No difference shown: +0.10 (95 % interval 0.01 to 0.19) on 60 held-out rows; alone it"
        " would count as better, but among 3 comparisons chance does as much."
    )
    assert [gain.decision for gain in found.values()] == [NO_DIFFERENCE, WORSE, NO_DIFFERENCE]
    assert found["b"].sentence == gains["b"].sentence
    assert found["c"].sentence == gains["c"].sentence


def test_winner_of_few_rows_that_luck_explains_has_too_few_rows():
    few = of(BETTER, 0.03).model_copy(update={"n": 12})
    found = adjusted({"a": few, "b": of(NO_DIFFERENCE, 0.6)}, unit=QUESTIONS)["a"]
    assert found.decision is TOO_FEW
    assert found.sentence == (
        "No difference shown, too few questions to tell: +0.10 (95 % interval 0.01 to 0.19) on 12"
        " questions; alone it would count as better, but among 2 comparisons chance does as much."
    )


def test_one_comparison_stays_as_it_is():
    gains = {"a": of(BETTER, 0.03)}
    assert adjusted(gains) == gains


@pytest.mark.parametrize("shared", [0.0, 0.7, 0.95])
def test_equal_models_get_a_false_winner_in_at_most_5_of_100_families_of_metrics(shared):
    rng = np.random.default_rng(0)
    common = rng.normal(size=(4000, 40, 1))
    diffs = shared * common + (1 - shared**2) ** 0.5 * rng.normal(size=(4000, 40, 6))
    p_values = ttest_1samp(diffs, 0, axis=1).pvalue
    assert np.mean([min(holm(row)) < 0.05 for row in p_values]) <= 0.055


def test_equal_models_rarely_get_a_winner_by_any_of_several_metrics():
    rng = np.random.default_rng(1)
    winners = alone = 0
    for seed in range(150):
        graded = (rng.normal(0, 0.2, 40) + rng.normal(0, 0.15, (5, 40))).clip(-1, 1)
        gains = {k: paired_gain(np.zeros(40), row, seed=seed) for k, row in enumerate(graded)}
        alone += any(g.decision in (BETTER, WORSE) for g in gains.values())
        kept = adjusted(gains).values()
        winners += any(g.decision in (BETTER, WORSE) for g in kept)
    assert winners / 150 <= 0.05 < alone / 150
