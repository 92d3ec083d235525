import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from engine.core.errors import UserError
from engine.stats.intervals import caveat, corpus_interval, mean_interval, pseudo_values, wilson


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


def nearly_all_right(rng, n):
    return np.where(rng.random(n) < 0.95, 1.0, rng.random(n))


def alike(rng, n):
    return rng.normal(0.5, 0.05, n)


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
        (nearly_all_right, 0.975),
        (alike, 0.5),
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
        corpus_interval([], sum)


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


def test_what_the_rows_add_to_a_mean_are_their_scores():
    each = np.random.default_rng(2).random(30)
    rows = np.stack([each, np.ones(30)], axis=1)
    assert pseudo_values(rows, ratio) == pytest.approx(each)


def test_what_the_rows_add_to_a_corpus_score_has_that_score_as_its_mean():
    parts = [[1, 2], [2, 2], [0, 9], [3, 3]]
    assert pseudo_values(parts, ratio).mean() == pytest.approx(6 / 16)
    assert pseudo_values(parts[:1], ratio) == pytest.approx([0.5])


def test_a_corpus_interval_stays_in_range_and_never_is_a_point():
    assert corpus_interval([[1, 2]], ratio) == mean_interval([0.5])
    low, high = corpus_interval([[2, 2]] * 30, ratio)
    assert high == 1
    assert 0.85 < low < 0.95
    low, high = corpus_interval([[0, 9]] * 29 + [[1, 9]], ratio)
    assert 0 <= low < 1 / 270 < high < 0.1
    low, high = corpus_interval([[500, 500], [0, 3]], ratio)
    assert 0 <= low < 500 / 503 < high <= 1


def test_few_rows_are_said_to_be_few():
    assert caveat(19) == "few rows: this interval may be too narrow"
    assert (caveat(0), caveat(20)) == ("", "")


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_intervals_of_yes_or_no_scores_cover_their_share(share, n):
    covered = 0.0
    for k in range(n + 1):
        low, high = mean_interval([1.0] * k + [0.0] * (n - k))
        covered += binom.pmf(k, n, share) * (low <= share <= high)
    assert 0.92 <= covered <= 0.98
