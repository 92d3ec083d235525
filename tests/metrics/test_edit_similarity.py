import pytest
from nltk.metrics.distance import edit_distance

from engine.metrics.edit_similarity import edit_similarity
from tests.metrics.pairs import LATIN_PAIRS, OTHER_PAIRS, UNICODE_PAIRS

PAIRS = [pair for pair in LATIN_PAIRS + OTHER_PAIRS + UNICODE_PAIRS if max(map(len, pair[1])) < 60]


def witness(a, b):
    return 1 - edit_distance(a, b) / max(len(a), len(b)) if a or b else 1


def test_each_score_equals_the_table_of_nltk():
    short = [pair for pair in PAIRS if len(pair[0]) < 60]
    assert len(short) > 100
    each = edit_similarity(*zip(*short, strict=True)).each
    for (prediction, accepted), ours in zip(short, each, strict=True):
        theirs = max(witness(prediction, text) for text in accepted)
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_values_worked_by_hand():
    scores = edit_similarity(["kitten", "", "e\u0301"], [["sitting"], ["", "x"], ["é"]])
    assert scores.each == pytest.approx((4 / 7, 1, 0))
