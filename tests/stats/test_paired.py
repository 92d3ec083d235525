import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.power import TTestPower

from engine.core.errors import UserError
from engine.core.evaluation import GainDecision
from engine.core.evaluation_sentences import WINNERS
from engine.stats.paired import _bounds, paired_gain, sign_flip_p

score = st.floats(0, 1)


@given(st.lists(score, max_size=40))
def test_paired_test_of_a_model_against_itself_has_no_winner(each):
    gain = paired_gain(each, each)
    assert (gain.diff, gain.p) == (0, 1)
    assert gain.decision in (GainDecision.NO_DIFFERENCE, GainDecision.TOO_FEW)
    assert gain.low <= 0 <= gain.high
    assert gain.sentence.startswith("No difference shown")


@given(st.lists(st.tuples(score, score), max_size=20))
def test_swapping_the_models_swaps_the_sign(pairs):
    base, new = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = paired_gain(base, new), paired_gain(new, base)
    assert there.diff == pytest.approx(-back.diff)
    assert -1 <= there.low <= there.diff + 1e-9
    assert there.diff - 1e-9 <= there.high <= 1
    assert 0 < there.p <= 1


def test_paired_gain_is_told_in_one_sentence():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.6, 60)
    gain = paired_gain(base, base + 0.21 + rng.normal(0, 0.2, 60).clip(-0.4, 0.19))
    assert gain.decision is GainDecision.BETTER
    assert gain.sentence == (
        f"Better: +{gain.diff:.2f} (95 % interval {gain.low:.2f} to {gain.high:.2f})"
        " on 60 held-out rows."
    )
    assert gain.low < gain.diff < gain.high


def test_paired_loss_is_told():
    gain = paired_gain([0.9] * 40, [0.5, 0.6] * 20)
    assert gain.decision is GainDecision.WORSE
    assert gain.sentence == (
        "Worse: \N{MINUS SIGN}0.35 (95 % interval \N{MINUS SIGN}0.37 to \N{MINUS SIGN}0.33)"
        " on 40 held-out rows."
    )


def test_no_difference_says_what_could_have_been_seen():
    rng = np.random.default_rng(2)
    sentence = paired_gain(rng.random(60), rng.random(60)).sentence
    assert sentence == (
        "No difference shown: \N{MINUS SIGN}0.06 (95 % interval \N{MINUS SIGN}0.16 to 0.04) on 60"
        " held-out rows; this test could see a difference of about 0.14; about 290 rows would be"
        " needed for the difference measured here."
    )


def test_paired_test_of_no_row_or_one_names_no_winner():
    assert paired_gain([], []).n == 0
    one = paired_gain([0.0], [1.0])
    assert (one.diff, one.p, one.n) == (1, 1, 1)
    assert one.sentence.startswith("No difference shown, too few rows to tell: +1.00")


def test_different_row_counts_are_an_error():
    with pytest.raises(UserError, match="2 and 1 scores"):
        paired_gain([1, 0], [1])


def test_few_differences_are_tested_by_all_sign_patterns():
    assert sign_flip_p([1] * 5) == 2 / 32
    assert sign_flip_p([1] * 6 + [0] * 50) == 2 / 64
    assert sign_flip_p([0.1, -0.1]) == 1


def yes_or_no(rng, n):
    base = (rng.random(n) < 0.4).astype(float)
    return base, np.where(rng.random(n) < 0.4, rng.random(n) < 0.4, base)


def graded(rng, n):
    shared = rng.normal(size=n)
    return [1 / (1 + np.exp(-shared - rng.normal(size=n) / 2)) for _ in range(2)]


@pytest.mark.parametrize("draw", [yes_or_no, graded])
@pytest.mark.parametrize("n", [30, 100])
def test_equal_models_rarely_get_a_winner_and_the_interval_covers_zero(draw, n):
    rng = np.random.default_rng(4)
    gains = [paired_gain(*draw(rng, n), seed=seed) for seed in range(500)]
    assert np.mean([g.decision in WINNERS for g in gains]) <= 0.06
    assert 0.92 <= np.mean([g.low <= 0 <= g.high for g in gains]) <= 0.99


def ratio(totals):
    return totals[0] / totals[1]


def corpora(rng, n, gain):
    length = rng.integers(3, 20, n)
    hits = [rng.binomial(length, 0.35), rng.binomial(length, 0.35 + gain)]
    return [np.stack([hit, length], axis=1).tolist() for hit in hits]


def of_corpora(base, new, seed=0):
    each = [[ratio(row) for row in rows] for rows in (base, new)]
    return paired_gain(*each, base_parts=base, new_parts=new, from_parts=ratio, seed=seed)


def test_gain_of_a_corpus_metric_is_that_of_the_corpus_scores():
    base, new = corpora(np.random.default_rng(5), 80, 0.2)
    gain = of_corpora(base, new)
    scores = [ratio(np.sum(rows, axis=0)) for rows in (base, new)]
    assert gain.diff == pytest.approx(scores[1] - scores[0])
    assert gain.sentence.startswith("Better")
    assert of_corpora(base, base).p == 1
    assert of_corpora(base[:1], new[:1]).sentence.startswith("No difference shown")


def test_equal_corpora_rarely_get_a_winner():
    rng = np.random.default_rng(6)
    gains = [of_corpora(*corpora(rng, 40, 0.0), seed=seed) for seed in range(120)]
    assert np.mean([g.decision in WINNERS for g in gains]) <= 0.06
    assert 0.9 <= np.mean([g.low <= 0 <= g.high for g in gains]) <= 1


def needed(gain):
    return int(re.search(r"about ([\d,]+) rows would be needed", gain.sentence)[1].replace(",", ""))


@pytest.mark.parametrize("n", [8, 20, 40, 100])
def test_rows_needed_are_within_twice_an_exact_power_calculation(n):
    rng = np.random.default_rng(7)
    for _ in range(20):
        diffs = rng.normal(0.06, 0.25, n).clip(-1, 1)
        gain = paired_gain(np.zeros(n), diffs)
        exact = TTestPower().solve_power(
            abs(diffs.mean()) / diffs.std(ddof=1), power=0.8, alpha=0.05
        )
        if gain.decision not in WINNERS and n < exact < 90_000:
            assert exact / 2 <= needed(gain) <= exact * 2


def sign_test_power(n, better, worse):
    """Power of the exact sign test (McNemar) of `n` rows with these shares of differing rows."""
    k = np.arange(n + 1)
    wins, moved = np.meshgrid(k, k)
    p = 2 * binom.cdf(np.minimum(wins, moved - wins), moved, 0.5)
    chance = binom.pmf(wins, moved, better / (better + worse)) * binom.pmf(moved, n, better + worse)
    return float(chance[(wins <= moved) & (p < 0.05)].sum())


@pytest.mark.parametrize(("n", "better", "worse"), [(8, 1, 0), (20, 4, 2), (40, 6, 3), (100, 9, 4)])
def test_rows_needed_for_yes_or_no_scores_are_those_of_the_exact_sign_test(n, better, worse):
    new = [1.0] * (n - worse) + [0.0] * worse
    base = [0.0] * better + [1.0] * (n - better)
    gain = paired_gain(base, new)
    many = needed(gain)
    assert sign_test_power(2 * many, better / n, worse / n) > 0.8
    assert sign_test_power(many // 2, better / n, worse / n) < 0.8


def test_paired_gain_of_eight_rows_is_too_few_to_tell():
    gain = paired_gain([0, 1, 0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 1, 0, 1, 0])
    assert gain.decision is GainDecision.TOO_FEW
    assert gain.sentence.startswith("No difference shown, too few rows to tell: +0.12 (95 % inter")
    assert gain.sentence.endswith("about 65 rows would be needed for the difference measured here.")


def test_detectable_difference_is_detected_four_times_in_five():
    rng = np.random.default_rng(8)
    sentence = paired_gain(np.zeros(60), rng.normal(0, 0.2, 60)).sentence
    visible = float(re.search("about (0.[0-9]+);", sentence)[1])
    gains = [paired_gain(np.zeros(60), rng.normal(visible, 0.2, 60)) for _ in range(200)]
    assert 0.7 <= np.mean([gain.decision is GainDecision.BETTER for gain in gains]) <= 0.93


def test_model_against_itself_never_wins_in_two_hundred_seeds():
    rng = np.random.default_rng(9)
    for seed in range(200):
        each = rng.random(1 + seed)
        for gain in (paired_gain(each, each, seed=seed), of_corpora(*[corpora(rng, 5, 0)[0]] * 2)):
            assert gain.sentence.startswith("No difference shown")
            assert gain.low <= 0 <= gain.high


def skewed(rng, n):
    return rng.beta(0.3, 3, n) - rng.beta(0.3, 3, n) * (rng.random(n) < 0.5), 0.5 * 0.3 / 3.3


def even(rng, n):
    return rng.uniform(-0.5, 0.7, n), 0.1


def rare(rng, n):
    return (rng.random(n) < 0.05) * 1.0 - (rng.random(n) < 0.05), 0.0


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("draw", [skewed, even, rare])
def test_intervals_of_differences_cover_the_truth(draw, n):
    rng = np.random.default_rng(10)
    hits = []
    for _ in range(1000):
        diffs, truth = draw(rng, n)
        low, high = _bounds(diffs, 0.95)
        hits.append(low <= truth <= high)
    # where 2 of 20 rows differ, only a cautious interval never is too narrow
    assert 0.92 <= np.mean(hits) <= (1 if draw is rare else 0.98)
