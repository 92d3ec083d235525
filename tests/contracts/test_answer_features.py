"""What every registered feature of answers promises, ours or installed."""

import math

import pytest

from engine import plugins
from engine.core.examples import Message

ANSWERS = [
    "Yes, you can. See you soon!",
    "No?",
    "",
    "word " * 200,
    "\u0000\ud83d\ude00",
    "1. One\n2. **Two**",
    "I'm sorry, but I can’t help with that.",
    "Wir haben am Montag von neun bis zwölf Uhr für Sie geöffnet.",
]
QUESTION = "Do you open at nine or at ten on an ordinary Monday?"
PROMPTS = [(Message(role="user", content=QUESTION),)] * len(ANSWERS)
REFERENCES = [("yes, you can",)] * len(ANSWERS)
every_feature = pytest.mark.parametrize("name", plugins.names("answer_features"))


def values(name, answers=ANSWERS, references=REFERENCES):
    return plugins.load("answer_features", name)(PROMPTS[: len(answers)], answers, references)


@every_feature
def test_feature_is_finite_and_has_words_for_more_and_for_less(name):
    found = values(name)
    assert len(found) == len(ANSWERS)
    assert all(math.isfinite(value) for value in found)
    feature = plugins.load("answer_features", name)
    assert feature.MORE
    assert feature.MORE != feature.LESS


@every_feature
def test_feature_of_an_answer_does_not_depend_on_the_others(name):
    alone = [values(name, [text], [("yes, you can",)])[0] for text in ANSWERS]
    assert values(name) == pytest.approx(alone)


@every_feature
def test_feature_needs_no_reference(name):
    assert len(values(name, references=[()] * len(ANSWERS))) == len(ANSWERS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("length", [len(text) for text in ANSWERS]),
        ("has_list", [0, 0, 0, 0, 0, 1, 0, 0]),
        ("paragraphs", [1, 1, 0, 1, 1, 2, 1, 1]),
        ("markup", [0, 0, 0, 0, 0, 1, 0, 0]),
        ("numbers", [0, 0, 0, 0, 0, 2, 0, 0]),
        ("asks_back", [0, 1, 0, 0, 0, 0, 0, 0]),
        ("politeness", [1, 0, 0, 0, 0, 0, 1, 0]),
        ("refusal", [0, 0, 0, 0, 0, 0, 1, 0]),
        ("reader", [2, 0, 0, 0, 0, 0, 0, 0]),
        ("exclamation", [1, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_feature_counts_what_it_says(name, expected):
    assert values(name) == expected


def test_feature_of_content_compares_with_question_and_reference():
    assert values("same_language")[0::7] == [1, 0]
    assert values("same_language")[2] == 0.5
    assert values("overlap", ["yes you can"], [("Yes, you can.",)]) == [1]
    assert values("echo", ["On Monday at nine"], [()])[0] == pytest.approx(4 / 11)
    assert values("repetition")[3] > 0.9
