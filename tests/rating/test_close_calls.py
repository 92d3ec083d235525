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
from tests.rating import votes_in_tables


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def planned(ws, project, tmp_path, purpose="train_pairs", spare=1.0, **more):
    model = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    recipe = RoundRecipe(
        purpose=purpose, model=model.id, dataset=source.id, prompts=10, spare=spare, **more
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


def test_plan_of_several_answers_to_choose_from_reaches_the_job(ws, project, tmp_path):
    one = planned(ws, project, tmp_path, spare=0.0, samples=3)
    assert (one.plan.samples, lifecycle.get(ws, LOCAL, one.job_id).recipe["samples"]) == (3, 3)
    two = planned(ws, project, tmp_path, spare=0.0, samples=2)
    assert "samples" not in two.plan.model_dump()  # its hash is that of plans before the choice


@pytest.mark.parametrize(
    ("values", "written"),
    [({}, 4), ({"purpose": "aa_control"}, 2), ({"mode": "single"}, 2), ({"temperature": 0.0}, 2)],
)
def test_usual_round_chooses_from_four_answers_for_training_only(
    ws, project, tmp_path, values, written
):
    assert planned(ws, project, tmp_path, spare=0.0, **values).plan.samples == written


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"purpose": "aa_control"}, "a test needs what a user would get"),
        ({"mode": "single"}, "Only training comparisons"),
        ({"temperature": 0.0}, "every further answer is the same"),
    ],
)
def test_several_answers_are_written_for_training_comparisons_only(
    ws, project, tmp_path, values, sentence
):
    with pytest.raises(UserError, match=sentence):
        planned(ws, project, tmp_path, spare=0.0, samples=3, **values)


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
    both = votes_in_tables.arms(ws, tmp_path)
    one = votes_in_tables.a_round(ws, project.id, both)
    for n in range(12):
        close = n >= 6
        why = {"rule": "margin" if close else "random"}
        pair = votes_in_tables.a_pair(ws, one, f"q {n}", "a", "b", details=why)
        votes_in_tables.cast(ws, pair, "r", "left")
        votes_in_tables.cast(ws, pair, "s", "right" if close else "left")
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert (found.agreement.items, found.agreement.raw) == (6, 1.0)
    assert found.tally.wins + found.tally.losses == 24
