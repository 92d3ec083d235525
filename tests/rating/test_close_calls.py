"""Pairs that were chosen as close calls: planned, on record, and in no rate that is reported."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.jobs import lifecycle
from engine.services.rating import comparisons, report, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store import rounds as store
from engine.store.connect import writing
from tests import helpers
from tests.rating import votes


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def planned(ws, project, tmp_path, purpose="train_pairs", spare=1.0):
    model = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    recipe = RoundRecipe(
        purpose=purpose, model=model.id, dataset=source.id, prompts=10, spare=spare
    )
    return rounds.start(ws, LOCAL, project.id, recipe)


def test_plan_writes_more_answers_than_people_rate(ws, project, tmp_path):
    one = planned(ws, project, tmp_path)
    recipe = lifecycle.get(ws, LOCAL, one.job_id).recipe
    assert (recipe["keep"], len(recipe["rows"]), one.plan.prompts) == (10, 20, 10)


def test_plan_without_selection_keeps_all_comparisons(ws, project, tmp_path):
    one = planned(ws, project, tmp_path, spare=0.0)
    recipe = lifecycle.get(ws, LOCAL, one.job_id).recipe
    assert (recipe["keep"], len(recipe["rows"])) == (None, 10)


def test_blind_round_selects_no_comparisons(ws, project, tmp_path):
    with pytest.raises(UserError, match="a test needs all of them"):
        planned(ws, project, tmp_path, "aa_control")


def test_comparison_stores_why_it_was_selected(ws, project, tmp_path):
    one = planned(ws, project, tmp_path)
    why = [{"rule": "random"}, {"rule": "margin", "margin": 0.01}]
    found = [
        helpers.candidate(one.arm_new, n, f"{word} {n}", seed).model_copy(
            update={"details": why[n % 2]}
        )
        for n in range(4)
        for seed, word in enumerate(("one", "other"), one.plan.seed)
    ]
    with writing(ws.db) as conn:
        comparisons.open_with(conn, one.id, tuple(found))
        kept = [pair.details for pair in store.comparisons(conn, one.id)]
    assert kept == why * 2


def test_close_calls_are_in_no_rate_of_agreement(ws, project, tmp_path):
    both = votes.arms(ws, tmp_path)
    one = votes.a_round(ws, project.id, both)
    for n in range(12):
        close = n >= 6
        why = {"rule": "margin" if close else "random"}
        pair = votes.a_pair(ws, one, f"q {n}", "a", "b", details=why)
        votes.cast(ws, pair, "r", "left")
        votes.cast(ws, pair, "s", "right" if close else "left")
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert (found.agreement.items, found.agreement.raw) == (6, 1.0)
    assert found.tally.wins + found.tally.losses == 24
