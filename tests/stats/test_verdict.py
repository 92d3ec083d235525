import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from engine.core.errors import UserError
from engine.stats.verdict import bonett_price, verdict

count = st.integers(0, 200)


def test_verdict_on_a_hundred_decisive_votes_needs_61_wins():
    assert verdict(60, 40).decision == "no difference shown"
    assert verdict(61, 39).decision == "better"
    assert verdict(39, 61).decision == "worse"


@pytest.mark.parametrize(("wins", "p"), [(60, 0.05689), (61, 0.03520), (65, 0.00352)])
def test_p_is_that_of_the_exact_binomial_test(wins, p):
    assert verdict(wins, 100 - wins).p == pytest.approx(p, abs=5e-6)


def test_ties_count_half_and_get_the_bonett_price_interval():
    result = verdict(50, 30, 20)
    assert (result.low, result.high) == pytest.approx((0.513144, 0.682934), abs=1e-6)
    assert result.win_rate == pytest.approx(0.6)
    assert result.p == pytest.approx(0.032993, abs=1e-6)
    decisive = proportion_confint(50, 80, method="wilson")
    assert (result.decisive_low, result.decisive_high) == pytest.approx(decisive)


def test_sentence_says_what_the_test_could_have_seen():
    result = verdict(60, 40)
    assert result.detectable == pytest.approx(0.645, abs=5e-4)
    assert result.sentence == (
        "No difference shown between the new model and the baseline: the new model wins 60.0 % of"
        " votes with ties as half (95 % interval 50.3 to 69.3 %, p = 0.057; wins 60, losses 40,"
        " ties 0, both bad 0); the interval leaves out 50 %, but the test decides, and it does not;"
        " this test could see a win rate of 64.5 % or more."
    )


def test_verdict_sentence_says_what_is_measured_and_counts_same_answers_apart():
    """34 questions that people saw and 15 with one answer from both: a mean of 49 questions."""
    means = [0.72] * 34 + [0.5] * 15
    found = verdict(69, 24, 24, by_prompt=means, identical=15)
    assert found.win_rate == pytest.approx((34 * 0.72 + 15 * 0.5) / 49)
    assert (
        "on 49 questions, 15 with the same answer from both counted as ties, it wins 65.3 % on"
        " average" in found.sentence
    )
    assert "wins 69, losses 24, ties 9, both bad 0, same answer 15" in found.sentence
    assert "of votes" not in found.sentence


@pytest.mark.parametrize("prompts", [2, 3, 4, 5])
def test_fewer_than_six_prompts_are_not_said_to_show_anything(prompts):
    """The smallest p of k prompts is 2 / 2^k: .0625 for five."""
    means = [1.0] * (prompts - 1) + [2 / 3]
    found = verdict(3 * prompts - 1, 1, by_prompt=means)
    assert found.decision == "no difference shown"
    assert found.detectable is None
    assert "a test this small could not have shown one" in found.sentence
    assert verdict(17, 1, by_prompt=[1.0] * 5 + [2 / 3]).decision == "better"


def test_winner_is_named():
    sentence = verdict(70, 30, names=("dpo-2", "sft-1")).sentence
    assert sentence.startswith("Dpo-2 is better than sft-1: it wins 70.0 % of votes")


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (0, 0, 30, 0), (0, 0, 0, 5), (0, 0, 1, 0)])
def test_verdict_without_a_decisive_vote_shows_nothing(counts):
    result = verdict(*counts)
    assert result.sentence.startswith("No difference shown: no vote prefers")
    assert (result.p, result.win_rate, result.detectable) == (1, 0.5, None)
    assert 0 <= result.low <= 0.5 <= result.high <= 1


@given(count, count, count, count)
def test_verdict_is_finite_ordered_and_mirrored(wins, losses, ties, both_bad):
    result = verdict(wins, losses, ties, both_bad)
    mirror = verdict(losses, wins, ties, both_bad)
    for numbers in (
        (0, result.low, result.win_rate, result.high, 1),
        (0, result.decisive_low, result.decisive_rate, result.decisive_high, 1),
    ):
        assert all(a <= b + 1e-9 for a, b in pairwise(numbers))
    assert math.isfinite(result.p)
    assert result.win_rate == pytest.approx(1 - mirror.win_rate)
    assert (result.low, result.high) == pytest.approx((1 - mirror.high, 1 - mirror.low))
    assert (result.decision == "better") == (mirror.decision == "worse")


@pytest.mark.parametrize("n", [5, 2, 1])
def test_too_few_votes_show_nothing_and_say_so(n):
    result = verdict(n, 0)
    assert result.decision == "no difference shown"
    assert "a test this small could not have shown one" in result.sentence


def test_overlapping_raters_are_counted_by_prompt():
    """Three raters who always agree are worth one: 180 of 300 says no more than 60 of 100."""
    means = [1.0] * 60 + [0.0] * 40
    pooled, by_prompt = verdict(180, 120), verdict(180, 120, by_prompt=means)
    assert pooled.decision == "better"
    assert by_prompt.decision == "no difference shown"
    assert by_prompt.high - by_prompt.low > 1.5 * (pooled.high - pooled.low)


def test_interval_by_prompt_is_students_t():
    means = np.random.default_rng(0).choice([0, 1 / 3, 2 / 3, 1], 50)
    from scipy.stats import t

    result = verdict(90, 60, by_prompt=means.tolist())
    half = t.ppf(0.975, 49) * means.std(ddof=1) / 50**0.5
    assert (result.low, result.high) == pytest.approx((means.mean() - half, means.mean() + half))


def test_swapping_the_models_mirrors_a_verdict_by_prompt():
    means = np.random.default_rng(1).choice([0, 1 / 3, 2 / 3, 1], 60, p=[0.1, 0.2, 0.3, 0.4])
    wins = round(3 * means.sum())
    one = verdict(wins, 180 - wins, by_prompt=means.tolist())
    other = verdict(180 - wins, wins, by_prompt=(1 - means).tolist())
    assert (one.decision, other.decision) == ("better", "worse")
    assert one.win_rate == pytest.approx(1 - other.win_rate)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))


@pytest.mark.parametrize(
    ("counts", "means"),
    [
        ((0, 0, 2, 0), [0.5]),
        ((3, 0, 0, 0), [1.0]),
        ((0, 0, 60, 0), [0.5] * 20),
        ((2, 2, 0, 0), [0.5, 0.5]),
        ((0, 0, 0, 0), []),
    ],
)
def test_overlap_that_shows_nothing_has_finite_bounds(counts, means):
    result = verdict(*counts, by_prompt=means)
    assert result.decision == "no difference shown"
    assert 0 <= result.low <= result.win_rate <= result.high <= 1
    assert math.isfinite(result.p)
    assert result.high - result.low > 0.05


def test_verdict_of_two_prompts_proves_nothing():
    assert verdict(6, 0, by_prompt=[1.0, 1.0]).decision == "no difference shown"


@pytest.mark.parametrize("shape", [0.5, 2.0])
def test_prompts_that_differ_do_not_make_false_winners(shape):
    rng = np.random.default_rng(7)
    wrong = covered = 0
    for _ in range(1000):
        wins = rng.binomial(3, rng.beta(shape, shape, 100))
        result = verdict(int(wins.sum()), int(300 - wins.sum()), by_prompt=(wins / 3).tolist())
        wrong += result.decision != "no difference shown"
        covered += result.low <= 0.5 <= result.high
    assert wrong / 1000 <= 0.06
    assert 0.93 <= covered / 1000 <= 0.97


@pytest.mark.parametrize(("win", "loss"), [(0.5, 0.3), (0.3, 0.3), (0.7, 0.2)])
def test_bonett_price_interval_covers_the_true_win_rate(win, loss):
    rng = np.random.default_rng(8)
    truth = win + (1 - win - loss) / 2
    bounds = [
        bonett_price(int(w), int(lost), 100)
        for w, lost, _ in rng.multinomial(100, [win, loss, 1 - win - loss], 5000)
    ]
    assert 0.935 <= np.mean([low <= truth <= high for low, high in bounds]) <= 0.965


def test_equal_models_rarely_get_a_verdict():
    rng = np.random.default_rng(9)
    made = [verdict(int(w), 100 - int(w)).decision for w in rng.binomial(100, 0.5, 1000)]
    assert made.count("no difference shown") / 1000 >= 0.95


def test_impossible_counts_are_errors():
    for bad in (
        lambda: verdict(-1, 2),
        lambda: verdict(1, 0, by_prompt=[1.0, 1.0]),
        lambda: verdict(1, 1, by_prompt=[1.5]),
    ):
        with pytest.raises(UserError):
            bad()


def test_tiny_p_is_written_as_a_bound():
    said = verdict(60, 5, 0, 0).sentence
    assert "p < 0.001;" in said
    assert "e-" not in said
