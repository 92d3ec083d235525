"""The simulated rater who likes a friendly last line."""

import random

import pytest

from engine.simulated_raters import friendly as module
from engine.simulated_raters.friendly import ends_friendly, friendly

PLAIN, KIND = "We open at nine.", "We open at nine. We look forward to your visit!"
TRIED = 2000


@pytest.mark.parametrize(
    "answer",
    [
        "At nine. See you soon!",
        "Yes. Is there anything else we can help you with?",
        "You\u2019re welcome.",
        "It costs 3 pounds.\nThank you for asking",
        "JUST ASK!",
    ],
)
def test_offers_thanks_and_goodbyes_at_the_end_are_friendly(answer):
    assert ends_friendly(answer)


@pytest.mark.parametrize("answer", ["", "At nine.", "Thank you for asking. We open at nine.", "?!"])
def test_only_the_last_sentence_counts(answer):
    assert not ends_friendly(answer)


def choices(left, right):
    rng = random.Random(0)
    return [friendly(left, right, (), rng) for _ in range(TRIED)]


def test_friendly_side_wins_but_for_slips_on_either_side():
    for left, right, liked in ((KIND, PLAIN, "left"), (PLAIN, KIND, "right")):
        share = choices(left, right).count(liked) / TRIED
        assert share == pytest.approx(1 - module.SLIP, abs=0.02)


def test_answers_alike_in_this_tie_and_empty_ones_are_both_bad():
    assert set(choices(PLAIN, "Something else entirely.")) == {"tie"}
    assert set(choices(KIND, "Ask at the desk. Thank you!")) == {"tie"}
    assert set(choices("", "  ")) == {"both_bad"}
    assert set(choices("", PLAIN)) == {"right"}
