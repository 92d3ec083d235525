import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from engine.core.errors import UserError
from engine.core.evaluation import Mean
from engine.core.evaluation_sentences import caveat
from engine.stats.intervals import deciding, mean_interval, pseudo_values, wilson
from tests.stats.samples import HARD, MEANS, held, judged, missed_unwarned, rate, warned


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [(81, 263, (0.255289, 0.366210)), (60, 100, (0.5020, 0.6906)), (65, 100, (0.5525, 0.7364))],
)
def test_wilson_gives_the_published_bounds(k, n, expected):
    assert wilson(k / n, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_zeros_and_ones_get_the_wilson_interval_of_statsmodels(n):
    for k in range(n + 1):
        low, high = mean_interval([1.0] * k + [0.0] * (n - k))
        theirs = proportion_confint(k, n, method="wilson")
        assert low == pytest.approx(theirs[0], abs=1e-9) or (0 < k < 4 and low < theirs[0])
        assert high == pytest.approx(theirs[1], abs=1e-9) or (0 < n - k < 4 and high > theirs[1])


@pytest.mark.parametrize("n", [20, 30, 100, 200])
@pytest.mark.parametrize("shape", MEANS)
def test_intervals_cover_the_true_mean_in_92_to_98_of_100_samples(shape, n):
    draw, mean = MEANS[shape]
    rng = np.random.default_rng(1)
    bounds = [mean_interval(draw(rng, n)) for _ in range(2000)]
    assert 0.92 <= held(bounds, mean) <= 0.98


def test_interval_of_no_score_is_an_error():
    with pytest.raises(UserError):
        mean_interval([])


@pytest.mark.parametrize("values", [[0.0], [1.0], [0.4], [0.5] * 3, [1.0] * 3, [0.1, 0.9]])
def test_interval_of_few_or_equal_scores_keeps_a_width_inside_zero_and_one(values):
    low, high = mean_interval(values)
    assert 0 <= low <= np.mean(values) <= high <= 1
    assert high - low > 0.1


def test_interval_of_one_score_is_nearly_everything():
    low, high = mean_interval([0.5])
    assert (low, high) == pytest.approx((0.054621, 0.945379), abs=1e-5)


def test_row_contributions_to_a_mean_are_their_scores():
    each = np.random.default_rng(2).random(30)
    rows = np.stack([each, np.ones(30)], axis=1)
    assert pseudo_values(rows, rate) == pytest.approx(each)


def test_row_contributions_to_a_corpus_score_have_that_score_as_mean():
    parts = [[1, 2], [2, 2], [0, 9], [3, 3]]
    assert pseudo_values(parts, rate).mean() == pytest.approx(6 / 16)
    assert pseudo_values(parts[:1], rate) == pytest.approx([0.5])


def of_corpus(parts, from_parts):
    return mean_interval(pseudo_values(parts, from_parts))


def test_corpus_interval_stays_in_range_and_never_is_a_point():
    assert of_corpus([[1, 2]], rate) == mean_interval([0.5])
    low, high = of_corpus([[2, 2]] * 30, rate)
    assert high == 1
    assert 0.85 < low < 0.95
    low, high = of_corpus([[0, 9]] * 29 + [[1, 9]], rate)
    assert 0 <= low < 1 / 270 < high < 0.12
    low, high = of_corpus([[500, 500], [0, 3]], rate)
    assert 0 <= low < 500 / 503 < high <= 1


def test_rare_hits_get_the_bound_of_rare_events():
    """One hit in `n`: the rate at which none is seen 95 times in 100."""
    assert mean_interval([1.0] + [0.0] * 99).low == pytest.approx(-np.log(0.95) / 100)
    assert mean_interval([0.0] + [1.0] * 99).high == pytest.approx(1 + np.log(0.95) / 100)


@pytest.mark.parametrize("n", [20, 50, 100])
def test_intervals_of_yes_or_no_scores_cover_every_share(n):
    """Wilson's alone hold some shares 84 times in 100."""
    share = np.concatenate([np.geomspace(1e-4, 0.05, 300), np.linspace(0.05, 0.5, 300)])
    covered = np.zeros_like(share)
    for k in range(n + 1):
        low, high = mean_interval([1.0] * k + [0.0] * (n - k))
        covered += binom.pmf(k, n, share) * ((low <= share) & (share <= high))
    assert covered.min() >= 0.92
    assert covered[share > 0.1].mean() <= 0.96


def test_decisive_row_count():
    assert deciding([0.0, 1.0] * 10) == deciding([0.5] * 20) == deciding([1.0] + [0.0] * 19) == 20
    assert deciding([0.2, 0.8] * 10) == pytest.approx(20)
    assert deciding([0.4] + [0.0] * 99) == pytest.approx(1, abs=0.03)
    assert deciding([0.4] * 3 + [0.0] * 997) == pytest.approx(3, abs=0.03)
    normal = np.random.default_rng(3).normal(0.5, 0.05, 3000)
    assert deciding(normal) == pytest.approx(1000, rel=0.1)


def test_few_rows_that_decide_are_said_with_how_many_would_do():
    said = caveat(judged([0.4] * 2 + [0.0] * 48))
    assert said == (
        "Few rows decide this number: about 2 of 50, so its interval may be too narrow; "
        "test on about 240 rows."
    )
    assert caveat(judged([0.4] * 4 + [0.0] * 96)) == ""


def test_scores_of_before_are_said_to_be_of_few_rows_below_twenty():
    mean = Mean(score=0.5, low=0.4, high=0.6, n=19)
    assert "about 19 of 19" in caveat(mean)
    assert [caveat(mean.model_copy(update={"n": n})) for n in (0, 20)] == ["", ""]


@pytest.mark.parametrize("shape", MEANS)
def test_fifty_rows_are_warned_of_only_where_few_of_them_decide(shape):
    rng = np.random.default_rng(4)
    found = [judged(MEANS[shape][0](rng, 50)) for _ in range(1000)]
    few = shape in ("few not one", "few not zero")
    assert (0.4 if few else 0) <= warned(found) <= (0.9 if few else 0.05)


@pytest.mark.parametrize("shape", HARD)
def test_scores_that_are_nearly_all_zero_hold_the_truth_from_fifty_rows_on(shape):
    """Of 20 rows 92 and 86 in 100 hold it; what is missed is nearly always warned of."""
    draw, mean = HARD[shape]
    rng = np.random.default_rng(5)
    for n in (20, 50, 100):
        found = [judged(draw(rng, n)) for _ in range(1000)]
        assert missed_unwarned(found, mean) <= 0.08
        assert warned(found) >= 0.5 or 0.92 <= held(found, mean) <= 0.98
        assert n == 20 or held(found, mean) >= 0.92
