"""Simulated raters who vote again and again on the same answers of a blind round."""

import pytest

from engine.core.actor import LOCAL
from engine.orchestrate.demo_job import simulate
from engine.services.rating import rounds
from tests.ui import seed

QUESTIONS, REPEATS, RATERS = 49, 40, 3


@pytest.fixture
def verdict(ws, tmp_path):
    """The verdict of a fresh blind round on the same answers: `verdict(rule, number)`."""
    answers = [
        (f"question {n}?", f"At {n}. Just ask us!", f"It is at {n} on most days of the week.")
        for n in range(QUESTIONS)
    ]

    def voted(rule, number, *, again=False):
        folder = tmp_path / f"{rule}-{number}-{again}"
        folder.mkdir()
        blind = seed.open_round(ws, folder, answers=answers, purpose="blind_eval", overlap=RATERS)
        for rater in range(RATERS):
            simulate(ws, blind, rule, rater, number)
        if rounds.get(ws, LOCAL, blind.id).status == "open":
            rounds.close(ws, LOCAL, blind.id)
        return rounds.verdict(ws, LOCAL, blind.id)

    return voted


def test_second_demo_with_the_same_seed_votes_too(verdict):
    """Its rounds have the names of the first one's, and its raters the same numbers."""
    assert verdict("friendly", 1).decision == verdict("friendly", 1, again=True).decision


@pytest.mark.proof
def test_coins_name_a_winner_no_more_often_than_the_error_rate_promises(verdict):
    """Of 40 votings at .05 more than 6 name a winner in 7 of 1,000; the seeds are fixed."""
    named = [verdict("random", n).decision for n in range(REPEATS)]
    print(f"{sum(each in ('better', 'worse') for each in named)} of {REPEATS} name a winner")
    assert sum(each in ("better", "worse") for each in named) <= 6


def test_coins_name_no_winner_and_a_wish_does(verdict):
    """The same answers, seen by coins and by raters who like the friendly line of one side."""
    assert verdict("random", 1).decision == "no difference shown"
    friendly = verdict("friendly", 1)
    assert friendly.decision == "better"
    assert friendly.low > 0.5
