import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import binomtest

from engine.core.errors import UserError
from engine.stats.betting import evidence_by_prompt, log_wealth, mean_sequence
from engine.stats.sequential import confidence_sequence, e_value, evidence


@pytest.mark.parametrize(
    ("wins", "n", "expected"),
    [(10, 10, 93.0909), (9, 10, 9.3091), (60, 100, 0.9130), (65, 100, 11.4614), (66, 100, 21.6129),
     (70, 100, 427.31)],
)  # fmt: skip
def test_e_values(wins, n, expected):
    assert e_value(wins, n - wins) == pytest.approx(expected, rel=1e-4)


def test_sequential_test_stops_first_at_66_of_100():
    assert not evidence(65, 35).stop
    assert evidence(66, 34).stop
    assert evidence(66, 34).sentence.startswith(
        "Stop: after 100 decisive votes the new model wins more"
    )
    assert evidence(34, 66).sentence.startswith(
        "Stop: after 100 decisive votes the new model wins less"
    )


def test_confidence_sequence_is_wider_than_wilson():
    assert confidence_sequence(60, 40) == pytest.approx((0.4408, 0.7460), abs=5e-5)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 7), (300, 0), (5000, 4000)])
def test_bounds_stay_inside_zero_and_one_and_agree_with_the_evidence(wins, losses):
    now = evidence(wins, losses)
    assert 0 <= now.low <= now.high <= 1
    assert now.stop == (not now.low <= 0.5 <= now.high)


def test_verdict_refuses_negative_votes():
    with pytest.raises(UserError):
        evidence(-1, 0)


def test_peeking_after_every_vote_misleads_the_exact_test_but_not_the_e_process():
    rng = np.random.default_rng(0)
    n = np.arange(1, 401)
    wins = rng.integers(0, 2, (2000, 400)).cumsum(axis=1)
    log_e = betaln(1 + wins, 1 + n - wins) + n * np.log(2)
    assert log_e[0, -1] == pytest.approx(np.log(e_value(int(wins[0, -1]), 400 - int(wins[0, -1]))))
    assert np.mean((log_e >= np.log(20)).any(axis=1)) <= 0.05
    lost = np.array([[binomtest(k, m).pvalue < 0.05 for k in range(m + 1)] + [False] * (60 - m)
                     for m in range(1, 61)])  # fmt: skip
    peeked = lost[np.arange(60), wins[:, :60]].any(axis=1)
    assert np.mean(peeked) > 0.1


def test_sequential_test_finds_a_strong_model_early():
    rng = np.random.default_rng(1)
    n = np.arange(1, 1001)
    wins = (rng.random((1000, 1000)) < 0.8).cumsum(axis=1)
    stops = (betaln(1 + wins, 1 + n - wins) + n * np.log(2) >= np.log(20)).argmax(axis=1) + 1
    assert np.median(stops) == pytest.approx(19, abs=1)


def betting_e(means):
    """The most evidence against one half at any time, of runs of means: (runs, time)."""
    sides = [log_wealth(each, 0.5).max(axis=-1) for each in (means, 1 - means)]
    return np.maximum(*sides)


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
    log_e = betaln(1 + pooled, 1 + n - pooled) + n * np.log(2)
    assert (log_e >= np.log(20)).any(axis=1).mean() > 0.08


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
    coin = confidence_sequence(round(means.sum()), 200 - round(means.sum()))
    assert found.high - found.low < coin.high - coin.low


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
