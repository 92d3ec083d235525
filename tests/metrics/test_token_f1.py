import re
import string
from collections import Counter

import pytest

from engine.metrics.scripts import spaced
from engine.metrics.token_f1 import token_f1
from tests.metrics.pairs import LATIN_PAIRS, LONG_PAIRS, OTHER_PAIRS, UNICODE_PAIRS


def official(prediction, truth):
    """f1_score of SQuAD's evaluate-v1.1.py."""

    def normal(text):
        text = "".join(c for c in text.lower() if c not in set(string.punctuation))
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())

    tokens, expected = normal(prediction).split(), normal(truth).split()
    same = sum((Counter(tokens) & Counter(expected)).values())
    if same == 0:
        return 0
    precision, recall = same / len(tokens), same / len(expected)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("pairs", "split"),
    [(LATIN_PAIRS, str), (OTHER_PAIRS + UNICODE_PAIRS + LONG_PAIRS, spaced)],
)
def test_each_score_equals_the_official_script(pairs, split):
    each = token_f1(*zip(*pairs, strict=True)).each
    for (prediction, accepted), ours in zip(pairs, each, strict=True):
        theirs = max(official(split(prediction), split(text)) for text in accepted)
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_values_worked_by_hand():
    scores = token_f1(["the red cat", "", "天气好"], [["a cat"], [""], ["天气很好"]])
    assert scores.each == pytest.approx((2 / 3, 0, 6 / 7))
