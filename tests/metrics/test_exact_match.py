"""Exact match keeps what changes the meaning of an answer, and leaves out what does not."""

import pytest

from engine.metrics.exact_match import exact_match, normal
from engine.metrics.squad import squad_exact_match
from tests.metrics.pairs import LATIN_PAIRS


def same(prediction, reference):
    return exact_match([prediction], [[reference]]).overall == 1


@pytest.mark.parametrize("prediction", ["", "The", "...", "an", "B", " "])
def test_exact_match_does_not_take_a_letter_label_for_an_article(prediction):
    assert not same(prediction, "A")


@pytest.mark.parametrize("prediction", ["A", "a", "A.", "(A)", " a\n"])
def test_exact_match_finds_a_letter_label(prediction):
    assert same(prediction, "A")


@pytest.mark.parametrize(
    ("prediction", "reference"),
    [
        ("5", "-5"),
        ("15", "1.5"),
        ("C", "C++"),
        ("C", "C#"),
        ("1030", "10:30"),
        ("1/2", "12"),
        ("5", ".5"),
        ("50", "50%"),
        ("RD", "R&D"),
        ("x<y", "x>y"),
        ("", ""),
        ("", "..."),
        ("!", "?"),
    ],
)
def test_exact_match_tells_signs_points_and_symbols_apart(prediction, reference):
    assert not same(prediction, reference)
    assert not same(reference, prediction)


@pytest.mark.parametrize(
    ("prediction", "reference"),
    [
        ("\u00a0comedy", "comedy"),
        ("comedy\n", "comedy"),
        ("cafe\u0301", "caf\u00e9"),
        ("10\u00a0km", "10 km"),
        ("don\u2019t", "don't"),
        ("\u2212" + "5", "-5"),
        ("1,000.50", "1000.50"),
        ("12,345,678", "12345678"),
        ("The  Cat, sat!", "cat sat"),
        ("**Paris**.", "Paris"),
        ("well-known", "wellknown"),
        ('"Yes"', "yes"),
        ("It is 5.", "it is 5"),
        ("!", "!"),
    ],
)
def test_exact_match_leaves_out_form_case_and_sentence_punctuation(prediction, reference):
    assert same(prediction, reference)
    assert same(reference, prediction)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("an apple a day", "apple day"),
        ("theatre", "theatre"),
        ("the", "the"),
        ("  ", ""),
        ("$1,000.50", "$1000.50"),
        ("1,5", "1,5"),
        ("敏捷。", "敏捷。"),
    ],
)
def test_exact_match_normalisation(text, expected):
    assert normal(text) == expected


def test_exact_match_of_plain_sentences_is_the_published_figure():
    predictions, references = zip(*LATIN_PAIRS, strict=True)
    assert (
        exact_match(predictions, references).overall
        <= squad_exact_match(predictions, references).overall
    )


def test_exact_match_takes_any_reference():
    scores = exact_match(["Paris.", "Rome"], [["London", "the paris"], ["Milan"]])
    assert (scores.overall, scores.each) == (0.5, (1, 0))
    assert "NFC" in scores.signature
