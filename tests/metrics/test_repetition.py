import pytest
from nltk.util import ngrams

from engine.metrics.repetition import repetition
from engine.metrics.scripts import words
from tests.metrics.pairs import LATIN_PAIRS, LONG_PAIRS, OTHER_PAIRS, UNICODE_PAIRS


def test_each_score_equals_the_published_formula_over_nltks_ngrams():
    pairs = LATIN_PAIRS + OTHER_PAIRS + UNICODE_PAIRS + LONG_PAIRS
    each = repetition(*zip(*pairs, strict=True)).each
    for (prediction, _), ours in zip(pairs, each, strict=True):
        runs = list(ngrams(words(prediction), 4))
        if runs:
            assert 1 - ours == pytest.approx(1 - len(set(runs)) / len(runs), abs=1e-6)
        else:
            assert ours == (1 if words(prediction) else 0)


def test_loop_scores_low_and_silence_nothing():
    scores = repetition(["go on " * 50, "one two three", "", "!!!"], [["x"]] * 4)
    assert scores.each == pytest.approx((2 / 97, 1, 0, 0))
