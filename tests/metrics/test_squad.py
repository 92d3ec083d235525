"""The published figures equal SQuAD's official script."""

import re
import string
from collections import Counter

import pytest

from engine.metrics.scripts import spaced
from engine.metrics.squad import normal, squad_exact_match, squad_f1
from tests.metrics.pairs import LATIN_PAIRS, LONG_PAIRS, OTHER_PAIRS, UNICODE_PAIRS


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


def test_squad_exact_match_of_each_row_equals_the_official_script():
    pairs = LATIN_PAIRS + OTHER_PAIRS
    each = squad_exact_match(*zip(*pairs, strict=True)).each
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
def test_squad_normalisation(text, expected):
    assert normal(text) == expected


def test_squad_exact_match_takes_any_reference():
    scores = squad_exact_match(["Paris.", "Rome"], [["London", "the paris"], ["Milan"]])
    assert (scores.overall, scores.each) == (0.5, (1, 0))


def test_squad_exact_match_of_an_empty_answer_matches_only_nothing():
    assert squad_exact_match(["", ""], [["x"], ["the"]]).each == (0, 1)


def official_f1(prediction, truth):
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
def test_squad_f1_of_each_row_equals_the_official_script(pairs, split):
    each = squad_f1(*zip(*pairs, strict=True)).each
    for (prediction, accepted), ours in zip(pairs, each, strict=True):
        theirs = max(official_f1(split(prediction), split(text)) for text in accepted)
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_squad_f1_values_worked_by_hand():
    scores = squad_f1(["the red cat", "", "天气好"], [["a cat"], [""], ["天气很好"]])
    assert scores.each == pytest.approx((2 / 3, 0, 6 / 7))
