import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from engine.core.errors import UserError
from engine.stats.intervals import bootstrap_from_parts, mean_interval, wilson


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [(81, 263, (0.255289, 0.366210)), (60, 100, (0.5020, 0.6906)), (65, 100, (0.5525, 0.7364))],
)
def test_wilson_gives_the_published_bounds(k, n, expected):
    assert wilson(k / n, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_zeros_and_ones_get_the_wilson_interval_of_statsmodels(n):
    for k in range(n + 1):
        ours = mean_interval([1.0] * k + [0.0] * (n - k))
        assert ours == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-9)


def beta(rng, n):
    return rng.beta(0.3, 0.9, n)


def mostly_zero(rng, n):
    return rng.random(n) * (rng.random(n) < 0.3)


def mostly_one(rng, n):
    return np.where(rng.random(n) < 0.6, 1.0, rng.random(n))


def nearly_zero(rng, n):
    return rng.beta(0.5, 8, n)


def nearly_one(rng, n):
    return rng.beta(8, 0.5, n)


def yes_or_no(rng, n):
    return (rng.random(n) < 0.4).astype(float)


@pytest.mark.parametrize("n", [20, 30, 100, 200])
@pytest.mark.parametrize(
    ("draw", "mean"),
    [
        (beta, 0.25),
        (mostly_zero, 0.15),
        (mostly_one, 0.8),
        (yes_or_no, 0.4),
        (nearly_zero, 0.5 / 8.5),
        (nearly_one, 8 / 8.5),
    ],
)
def test_intervals_cover_the_true_mean_in_92_to_98_of_100_samples(draw, mean, n):
    rng = np.random.default_rng(1)
    bounds = [mean_interval(draw(rng, n)) for _ in range(2000)]
    assert 0.92 <= np.mean([low <= mean <= high for low, high in bounds]) <= 0.98


def test_no_score_is_an_error():
    with pytest.raises(UserError):
        mean_interval([])
    with pytest.raises(UserError):
        bootstrap_from_parts([], sum)


@pytest.mark.parametrize("values", [[0.0], [1.0], [0.4], [0.5] * 3, [1.0] * 3, [0.1, 0.9]])
def test_few_or_equal_scores_stay_uncertain_inside_zero_and_one(values):
    low, high = mean_interval(values)
    assert 0 <= low <= np.mean(values) <= high <= 1
    assert high - low > 0.1


def test_one_score_says_almost_nothing():
    low, high = mean_interval([0.5])
    assert (low, high) == pytest.approx((0.054621, 0.945379), abs=1e-5)


def ratio(totals):
    return totals[0] / totals[1]


def test_a_bootstrap_covers_the_true_ratio():
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(300):
        length = rng.integers(3, 20, 100)
        parts = np.stack([rng.binomial(length, 0.35), length], axis=1)
        low, high = bootstrap_from_parts(parts.tolist(), ratio, seed=seed, draws=400)
        hits += low <= 0.35 <= high
    assert 0.92 <= hits / 300 <= 0.98


def test_a_bootstrap_repeats_with_its_seed_and_never_is_a_point():
    parts = [[1, 2], [2, 2], [0, 4], [3, 3]]
    assert bootstrap_from_parts(parts, ratio, seed=5) == bootstrap_from_parts(parts, ratio, seed=5)
    low, high = bootstrap_from_parts([[2, 2]] * 30, ratio)
    assert high == 1
    assert 0.85 < low < 0.95


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_intervals_of_yes_or_no_scores_cover_their_share(share, n):
    covered = 0.0
    for k in range(n + 1):
        low, high = mean_interval([1.0] * k + [0.0] * (n - k))
        covered += binom.pmf(k, n, share) * (low <= share <= high)
    assert 0.92 <= covered <= 0.98


def rates(rng, n, kind):
    """Hits and lengths of `n` texts, and their true rate."""
    length = 3 + rng.exponential(20, n).astype(int) if kind == "rare" else rng.integers(3, 20, n)
    rate = {"rare": 0.05, "common": 0.95, "uneven": rng.beta(0.4, 0.6, n)}[kind]
    truth = 0.4 if kind == "uneven" else rate
    return np.stack([rng.binomial(length, rate), length], axis=1), truth


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("kind", ["rare", "common", "uneven"])
def test_a_bootstrap_covers_awkward_ratios(kind, n):
    """Plain percentiles cover 90.6 % of the samples of 20 common hits; expanded ones 94 %."""
    rng = np.random.default_rng(13)
    hits = []
    for seed in range(600 if n == 20 else 300):
        parts, truth = rates(rng, n, kind)
        low, high = bootstrap_from_parts(parts.tolist(), ratio, seed=seed, draws=300)
        hits.append(low <= truth <= high)
    assert 0.92 <= np.mean(hits) <= 0.98
