import re
import string

import pytest

from engine.metrics.exact_match import exact_match, normal
from tests.metrics.pairs import LATIN_PAIRS, OTHER_PAIRS


def official(s):
    """normalize_answer of SQuAD's evaluate-v1.1.py, letter for letter in what it does."""

    def remove_articles(text):
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(s.lower())))


def test_each_score_equals_the_official_script():
    pairs = LATIN_PAIRS + OTHER_PAIRS
    each = exact_match(*zip(*pairs, strict=True)).each
    for (prediction, accepted), ours in zip(pairs, each, strict=True):
        assert ours == max(official(text) == official(prediction) for text in accepted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat, sat!", "cat sat"),
        ("an apple a day", "apple day"),
        ("theatre", "theatre"),
        ("the", ""),
        ("  ", ""),
        ("$1,000.50", "100050"),
        ("敏捷。", "敏捷。"),
    ],
)
def test_normalisation(text, expected):
    assert normal(text) == expected


def test_any_reference_will_do():
    scores = exact_match(["Paris.", "Rome"], [["London", "the paris"], ["Milan"]])
    assert (scores.overall, scores.each) == (0.5, (1, 0))


def test_an_empty_answer_matches_only_nothing():
    assert exact_match(["", ""], [["x"], ["the"]]).each == (0, 1)
