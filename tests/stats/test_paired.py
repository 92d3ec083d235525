import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.stats.paired import paired_gain, sign_flip_p

score = st.floats(0, 1)


@given(st.lists(score, max_size=40))
def test_a_model_against_itself_has_no_winner(each):
    gain = paired_gain(each, each)
    assert (gain.diff, gain.p) == (0, 1)
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


def test_a_clear_gain_is_told_in_one_sentence():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.6, 60)
    gain = paired_gain(base, base + 0.21 + rng.normal(0, 0.2, 60).clip(-0.4, 0.19))
    assert gain.sentence == (
        f"Better: +{gain.diff:.2f} (95 % interval {gain.low:.2f} to {gain.high:.2f})"
        " on 60 held-out rows."
    )
    assert gain.low < gain.diff < gain.high


def test_a_clear_loss_is_told():
    gain = paired_gain([0.9] * 40, [0.5, 0.6] * 20)
    assert gain.sentence == (
        "Worse: \N{MINUS SIGN}0.35 (95 % interval \N{MINUS SIGN}0.38 to \N{MINUS SIGN}0.32)"
        " on 40 held-out rows."
    )


def test_no_difference_says_what_could_have_been_seen():
    rng = np.random.default_rng(2)
    sentence = paired_gain(rng.random(60), rng.random(60)).sentence
    assert sentence == (
        "No difference shown: \N{MINUS SIGN}0.06 (95 % interval \N{MINUS SIGN}0.17 to 0.04) on 60"
        " held-out rows; this test could see a difference of about 0.15; about 320 rows would be"
        " needed for the difference measured here."
    )


def test_no_rows_and_one_row_name_no_winner():
    assert paired_gain([], []).n == 0
    one = paired_gain([0.0], [1.0])
    assert (one.diff, one.p, one.n) == (1, 1, 1)
    assert one.sentence.startswith("No difference shown: +1.00")


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
    assert np.mean([not g.sentence.startswith("No") for g in gains]) <= 0.06
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


def test_the_gain_of_a_corpus_metric_is_that_of_the_corpus_scores():
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
    assert np.mean([not g.sentence.startswith("No") for g in gains]) <= 0.06
    assert 0.9 <= np.mean([g.low <= 0 <= g.high for g in gains]) <= 1
