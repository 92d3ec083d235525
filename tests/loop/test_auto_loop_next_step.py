"""The next step is read from the tables alone, so whoever stops may go on."""

import pytest

from engine.core.actor import LOCAL
from engine.services.loop import champion
from engine.services.loop.auto_loop_next_step import LoopGoal, next_step
from engine.services.preferences import build
from engine.services.rating import rounds
from tests import helpers
from tests.loop import loop_in_tables
from tests.rating import votes_in_tables


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def sft(ws, project, tmp_path):
    return loop_in_tables.trained(ws, project, "first", helpers.model(ws, tmp_path), "sft")


@pytest.fixture
def source(ws, project, tmp_path):
    return helpers.dataset(ws, project.id, tmp_path)


def step(ws, project, sft, **aims):
    return next_step(ws, LOCAL, project.id, LoopGoal(sft.id, **{"since": 0.0, **aims}))


def test_loop_begins_with_a_rating_round_of_the_start(ws, project, sft):
    move = step(ws, project, sft)
    assert (move.name, move.policy) == ("rate", sft.id)


def test_champion_comes_before_the_named_start(ws, project, sft):
    best = loop_in_tables.trained(ws, project, "best", sft, "sft")
    champion.promote(ws, LOCAL, project.id, best.id)
    assert step(ws, project, sft).policy == best.id


def test_open_round_is_waited_for_and_then_becomes_pairs_and_a_training(ws, project, sft):
    one = votes_in_tables.a_round(ws, project.id, (sft, sft))
    votes_in_tables.a_pair(ws, one, "q", "a", "b")
    move = step(ws, project, sft)
    assert (move.name, move.text) == ("votes", f"Waiting for votes on {one.name}: 0 of 3")
    rounds.close(ws, LOCAL, one.id)
    assert step(ws, project, sft).name == "rate"
    later = votes_in_tables.filled(ws, project.id, (sft, sft), raters=("r", "s", "t"))
    assert (step(ws, project, sft).name, step(ws, project, sft).round_id) == ("pairs", later.id)
    made = build.make(ws, LOCAL, project.id)
    move = step(ws, project, sft)
    assert (move.name, move.dataset_id) == ("train", made.dataset_id)


def test_rating_rounds_that_bring_nothing_end_the_loop(ws, project, sft):
    for _ in range(3):
        one = votes_in_tables.a_round(ws, project.id, (sft, sft))
        votes_in_tables.a_pair(ws, one, "q", "a", "b")
        rounds.close(ws, LOCAL, one.id)
    move = step(ws, project, sft)
    assert move.name == "end"
    assert "3 rating rounds brought votes for 0 of the 20 pairs" in move.text


def test_new_model_is_evaluated_before_anybody_sees_it(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    move = step(ws, project, sft)
    assert (move.name, move.model) == ("evaluate", one.id)


def test_regression_ends_the_loop_before_a_blind_round(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=True)
    move = step(ws, project, sft)
    assert move.name == "end"
    assert "newest model regressed. BLEU: 0.40 to 0.20" in move.text


def test_auto_loop_restarted_after_a_regression_rates_anew(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=True)
    assert step(ws, project, sft, since=one.created_at + 1).name == "rate"


def test_healthy_model_is_tested_closed_and_promoted(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=False)
    move = step(ws, project, sft)
    assert (move.name, move.base) == ("test", sft.id)
    blind = loop_in_tables.blind(ws, project, one, sft, 35, 5, close=False)
    move = step(ws, project, sft)
    assert (move.name, move.round_id) == ("close", blind.id)
    rounds.close(ws, LOCAL, blind.id)
    assert step(ws, project, sft).name == "promote"
    champion.promote(ws, LOCAL, project.id, one.id)
    move = step(ws, project, sft)
    assert (move.name, move.policy) == ("rate", one.id)


def test_second_generation_meets_the_baseline_and_the_champion(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.blind(ws, project, one, sft, 35, 5)
    champion.promote(ws, LOCAL, project.id, one.id)
    two = loop_in_tables.trained(ws, project, "two", one)
    loop_in_tables.evaluated(ws, project, source, one, two, regressed=False)
    assert step(ws, project, sft).base == sft.id
    loop_in_tables.blind(ws, project, two, sft, 36, 4)
    assert step(ws, project, sft).base == one.id
    loop_in_tables.blind(ws, project, two, one, 21, 19)
    move = step(ws, project, sft, generations=3)
    assert (move.name, move.policy) == ("rate", one.id)
    assert step(ws, project, sft, generations=2).text.startswith("2 generations were made")


def test_model_that_was_taken_back_is_not_promoted_again(ws, project, sft, source):
    champion.promote(ws, LOCAL, project.id, sft.id)
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=False)
    loop_in_tables.blind(ws, project, one, sft, 35, 5)
    champion.promote(ws, LOCAL, project.id, one.id)
    champion.roll_back(ws, LOCAL, project.id)
    assert step(ws, project, sft).name == "rate"


def test_spent_budget_ends_the_loop(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=False)
    loop_in_tables.blind(ws, project, one, sft, 20, 20)
    move = step(ws, project, sft, most_votes=40)
    assert (move.name, move.text) == ("end", "40 of 40 votes are used.")
