"""The simulated expert: right about words, hard on padding, wrong one time in ten."""

import random
from collections import Counter

import pytest

from engine.simulated_raters.expert import expert, score

ANSWER = "Printing costs 10p a page in black and white."
WRONG = "Our book club meets on Thursdays."


class Steady(random.Random):
    """A generator whose numbers never make the expert slip."""

    def random(self) -> float:
        return 0.5


def choose(left: str, right: str, *references: str) -> str:
    return expert(left, right, references, Steady())


def test_right_answer_beats_a_wrong_one():
    assert choose(WRONG, ANSWER, ANSWER) == "right"


def test_padding_loses_to_the_same_words_without_it():
    padded = ANSWER + " I hope that this helps you, and have a great day at the library!"
    assert choose(padded, ANSWER, ANSWER) == "right"


def test_two_answers_far_from_every_reference_are_both_bad():
    assert choose(WRONG, "I cannot say.", ANSWER) == "both_bad"
    assert choose("", "", ANSWER) == "both_bad"


def test_answers_of_about_the_same_worth_tie():
    assert choose(ANSWER, ANSWER.upper(), ANSWER) == "tie"


def test_best_reference_counts():
    assert choose(WRONG, ANSWER, "Sundays we are closed.", ANSWER) == "right"


def test_answer_is_scored_by_shared_words_less_a_penalty_for_extra_ones():
    assert score("a b c d", ["a b c d"]) == 1.0
    assert score("a b", ["a b c d"]) == pytest.approx(2 * 2 / 6)
    assert score("a b c d e f", ["a b c d"]) == pytest.approx(2 * 4 / 10 - 2 * 0.01)
    assert score("x y z", ["a b"]) == pytest.approx(-0.01)


def test_repeating_a_word_earns_nothing():
    assert score("free free free", ["it is free"]) < score("free", ["it is free"])


def test_expert_rater_slips_in_one_of_ten_decisions():
    rng = random.Random(11)
    votes = Counter(expert(ANSWER, WRONG, [ANSWER], rng) for _ in range(2000))
    assert set(votes) == {"left", "right"}
    assert 0.08 < votes["right"] / 2000 < 0.12


def test_tie_and_both_bad_are_never_slips():
    rng = random.Random(11)
    assert {expert(ANSWER, ANSWER, [ANSWER], rng) for _ in range(500)} == {"tie"}
    assert {expert(WRONG, "", [ANSWER], rng) for _ in range(500)} == {"both_bad"}


def test_each_comparison_takes_one_number_whatever_the_outcome():
    used, expected = random.Random(5), random.Random(5)
    for left, right, references in [(ANSWER, WRONG, [ANSWER]), (ANSWER, ANSWER, []), ("", "", [])]:
        expert(left, right, references, used)
        expected.random()
    assert used.getstate() == expected.getstate()


def test_without_references_the_shorter_non_empty_answer_wins():
    assert choose("a b c", "a b") == "right"
    assert choose("", "a b") == "right"
    assert choose("a b", "c d") == "tie"
    assert choose("", "") == "both_bad"


def test_expert_rater_slips_without_references_too():
    rng = random.Random(2)
    votes = [expert("a b", "a b c", [], rng) for _ in range(2000)]
    assert 0.08 < votes.count("right") / 2000 < 0.12
