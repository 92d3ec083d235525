import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import binomtest

from engine.core.errors import UserError
from engine.stats.sequential import evidence_by_prompt, log_wealth, mean_sequence


def log_e_of_coin_flips(wins, n):
    """Evidence for single votes, Robbins' beta-binomial mixture: what pooled votes would give."""
    return betaln(1 + wins, 1 + n - wins) + n * np.log(2)


def bounds_of_coin_flips(wins, n):
    """The win rates that Robbins' mixture does not refute at 5 %."""
    rates = np.linspace(0.0001, 0.9999, 9999)
    log_e = betaln(1 + wins, 1 + n - wins) - wins * np.log(rates) - (n - wins) * np.log1p(-rates)
    kept = rates[log_e < np.log(20)]
    return kept[0], kept[-1]


def test_coin_flips_for_comparison_are_those_of_the_paper():
    assert np.exp(log_e_of_coin_flips(66, 100)) == pytest.approx(21.6129, rel=1e-4)
    assert bounds_of_coin_flips(60, 100) == pytest.approx((0.4408, 0.7460), abs=2e-4)


def betting_e(means):
    """The most evidence against one half at any time, of runs of means: (runs, time)."""
    sides = [log_wealth(each, 0.5).max(axis=-1) for each in (means, 1 - means)]
    return np.maximum(*sides)


def test_peeking_after_every_vote_misleads_the_exact_test_but_not_the_sequential_rule():
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 2, (2000, 400))
    assert (betting_e(votes) >= np.log(20)).mean() <= 0.05
    wins = votes[:, :60].cumsum(axis=1)
    lost = np.array([[binomtest(k, m).pvalue < 0.05 for k in range(m + 1)] + [False] * (60 - m)
                     for m in range(1, 61)])  # fmt: skip
    assert np.mean(lost[np.arange(60), wins].any(axis=1)) > 0.1


def test_sequential_rule_finds_a_strong_model_early():
    means = (np.random.default_rng(1).random((1000, 400)) < 0.8).astype(float)
    stops = (log_wealth(means, 0.5) >= np.log(20)).argmax(axis=1) + 1
    assert np.median(stops) == pytest.approx(18, abs=1)


def test_peeking_at_means_by_prompt_misleads_rarely():
    """Three raters a prompt whose rates differ, and plain votes with ties: both equal on average.

    Pooled votes of the same prompts mislead the e-process for single votes."""
    rng = np.random.default_rng(10)
    rates = rng.beta(0.5, 0.5, (2000, 200))
    wins = rng.binomial(3, rates)
    assert (betting_e(wins / 3) >= np.log(20)).mean() <= 0.05
    votes = rng.choice([0, 0.5, 1], (2000, 200), p=[0.3, 0.4, 0.3])
    assert (betting_e(votes) >= np.log(20)).mean() <= 0.05
    n = 3 * np.arange(1, 201)
    pooled = wins.cumsum(axis=1)
    assert (log_e_of_coin_flips(pooled, n) >= np.log(20)).any(axis=1).mean() > 0.08


def test_bounds_of_the_mean_cover_it_at_all_looks():
    rng = np.random.default_rng(11)
    for true in (0.2, 0.5, 0.9):
        means = rng.beta(4 * true, 4 * (1 - true), (2000, 150))
        above = log_wealth(means, true).max(axis=1) >= np.log(20)
        below = log_wealth(1 - means, 1 - true).max(axis=1) >= np.log(20)
        assert (above | below).mean() <= 0.05


def test_better_model_is_found_and_ties_make_it_faster_than_coin_flips():
    rng = np.random.default_rng(12)
    means = rng.choice([0.25, 0.5, 0.75, 1.0], 200, p=[0.1, 0.3, 0.4, 0.2])
    found = evidence_by_prompt(means.tolist())
    assert found.stop
    assert 0.5 < found.low < means.mean() < found.high < 1
    assert "the new model is better than the baseline" in found.sentence
    mirror = evidence_by_prompt((1 - means).tolist())
    assert (mirror.low, mirror.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-6)
    assert "the new model is worse than the baseline" in mirror.sentence
    low, high = bounds_of_coin_flips(round(means.sum()), 200)
    assert found.high - found.low < high - low


def test_bounds_are_those_of_a_plain_loop_over_candidate_means():
    rng = np.random.default_rng(13)
    x = rng.random(60)
    variance, ahead = 0.25, []
    for t in range(1, 61):
        ahead.append(np.sqrt(2 * np.log(2 / 0.05) / (variance * t * np.log(t + 1))))
        past = [(x[i] - (0.5 + x[: i + 1].sum()) / (i + 2)) ** 2 for i in range(t)]
        variance = (0.25 + sum(past)) / (t + 1)
    kept = []
    for m in np.linspace(0.001, 0.999, 999):
        up = down = best = 0.5
        for value, bet in zip(x, ahead, strict=True):
            up *= 1 + min(bet, 0.5 / m) * (value - m)
            down *= 1 - min(bet, 0.5 / (1 - m)) * (value - m)
            best = max(best, up, down)
        if best < 20:
            kept.append(m)
    assert mean_sequence(x.tolist()) == pytest.approx((kept[0], kept[-1]), abs=2e-3)


@pytest.mark.parametrize("means", [[], [1.0], [0.0], [0.5] * 50, [1.0] * 300, [0.0] * 300, [0, 1]])
def test_bounds_of_means_stay_inside_zero_and_one(means):
    found = evidence_by_prompt(means)
    assert 0 <= found.low <= found.high <= 1
    assert np.isfinite(found.e)
    assert found.stop == (not found.low <= 0.5 <= found.high)
    if means:
        assert found.low <= np.mean(means) <= found.high


def test_sequential_test_without_prompts_says_so_and_refuses_a_mean_outside():
    assert evidence_by_prompt([]).sentence == "Go on: no prompt has been voted on yet."
    for bad in ([1.5], [-0.1], [float("nan")]):
        with pytest.raises(UserError, match="outside 0 to 1"):
            evidence_by_prompt(bad)
