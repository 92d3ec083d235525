"""What every registered reward promises, ours or installed."""

import math

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.core.examples import Message

ANSWERS = ["Yes, sir", "no", "", "word " * 200, "\u0000\ud83d\ude00"]
PROMPTS = [(Message(role="user", content="Well?"),)] * len(ANSWERS)
REFERENCES = [("yes, sir",)] * len(ANSWERS)
every_reward = pytest.mark.parametrize("name", plugins.names("rewards"))


def rewards(name, answers=ANSWERS, references=REFERENCES):
    return plugins.load("rewards", name)(PROMPTS[: len(answers)], answers, references)


@every_reward
def test_reward_is_finite_and_gives_an_empty_answer_nothing(name):
    found = rewards(name)
    assert len(found) == len(ANSWERS)
    assert all(math.isfinite(value) for value in found)
    assert found[2] == min(found)


@every_reward
def test_reward_of_an_answer_does_not_depend_on_the_others(name):
    alone = [rewards(name, [text], [("yes, sir",)])[0] for text in ANSWERS]
    assert rewards(name) == pytest.approx(alone)


def test_reward_rules_reward_what_they_say():
    assert rewards("exact") == [1, 0, 0, 0, 0]
    assert rewards("overlap")[:3] == [1, 0, 0]
    assert rewards("shorter")[:3] == [1 / 2, 1, 0]
    assert rewards("up_to_50_words")[:4] == [1, 1, 0, 0]
    assert rewards("up_to_50_words", ["word " * 75], [()]) == [0.5]


@pytest.mark.parametrize("name", ["exact", "overlap"])
def test_reward_that_compares_names_what_it_lacks(name):
    with pytest.raises(UserError, match="some prompts have none"):
        rewards(name, ["yes"], [()])
