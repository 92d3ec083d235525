"""Raters that look at length or at nothing."""

import random

import pytest

from engine import plugins
from engine.simulated_raters.simple import always_left, coin, longer, shorter

RNG = random.Random(0)
MIRROR = {"left": "right", "right": "left", "tie": "tie", "both_bad": "both_bad"}
ANSWERS = ["", "   ", "one", "two words", "some words", "three words now", "a\nb c d e"]


@pytest.mark.parametrize("name", ["shorter", "longer", "expert", "friendly"])
@pytest.mark.parametrize("references", [[], ["three words now"], ["one", "two words"]])
def test_swapping_the_sides_mirrors_the_choice(name, references):
    rate = plugins.load("raters", name)
    for seed in range(30):
        for one in ANSWERS:
            for other in ANSWERS:
                there = rate(one, other, references, random.Random(seed))
                back = rate(other, one, references, random.Random(seed))
                assert back == MIRROR[there]


@pytest.mark.parametrize("name", plugins.names("raters"))
def test_same_seed_gives_the_same_choices(name):
    rate = plugins.load("raters", name)
    runs = []
    for _ in range(2):
        rng = random.Random(7)
        runs.append([rate("a b", "a b c", ["a b"], rng) for _ in range(50)])
    assert runs[0] == runs[1]


def test_shorter_picks_fewer_words():
    assert shorter("a b c", "averyverylongword", [], RNG) == "right"


def test_shorter_never_picks_an_empty_answer():
    assert shorter("", "a b c", [], RNG) == "right"
    assert shorter("a b c", " \n", [], RNG) == "left"


def test_longer_picks_more_words():
    assert longer("a b c", "averyverylongword", [], RNG) == "left"


@pytest.mark.parametrize("rate", [shorter, longer])
def test_equal_word_counts_tie_and_two_empty_answers_are_both_bad(rate):
    assert rate("a b", "c d", [], RNG) == "tie"
    assert rate("", " ", [], RNG) == "both_bad"


def test_coin_is_fair_and_does_not_look_at_the_answers():
    picks = [coin("good", "", ["good"], rng) for rng in [random.Random(3)] for _ in range(2000)]
    swapped = [coin("", "good", [], rng) for rng in [random.Random(3)] for _ in range(2000)]
    assert picks == swapped
    assert 0.46 < picks.count("left") / 2000 < 0.54
    assert set(picks) == {"left", "right"}


def test_always_left_is_always_left():
    picks = {always_left(a, b, ["one"], RNG) for a in ANSWERS for b in ANSWERS}
    assert picks == {"left"}
