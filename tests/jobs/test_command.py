"""Runs and studies on the command line."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.core.job_outcome import Outcome
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from engine.workspace import open_workspace
from tests import helpers
from tests.ui import results


@pytest.fixture
def world(home, tmp_path):
    """Two finished runs of one project: their ids, with the base and the data."""
    ws = open_workspace()
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    ids = []
    for name, rate in (("Slow", 1e-4), ("Fast", 1e-3)):
        values = {"model": base.id, "dataset": data.id, "learning_rate": rate}
        job = results.submit(ws, project, "sft", name, **values)
        job = helpers.claimed(ws, job.id)
        job_outcomes.store(ws, job, Outcome(result={"best_held_out_loss": 1 + rate}))
        ids.append(job.id)
    ws.close()
    return ids


def test_run_is_found_by_tag_and_note(tuneloop, world):
    assert tuneloop("runs", "tag", world[0], "keep", "paper")[1] == "Slow: keep, paper.\n"
    assert tuneloop("runs", "note", world[0], "forgets hours")[0] == 0
    for arguments in (["hours"], ["--tag", "paper"], ["--sort", "loss", "slow"]):
        found = json.loads(tuneloop("runs", "list", *arguments, "--json")[1])["runs"]
        assert [job["id"] for job in found] == [world[0]]
    assert "note: forgets hours" in tuneloop("runs", "show", world[0])[1]


def test_comparison_is_a_table_of_what_differs(tuneloop, world):
    lines = tuneloop("runs", "compare", *world)[1].splitlines()
    assert [line.split() for line in lines] == [
        ["Slow", "Fast"],
        ["learning_rate", "0.0001", "0.001"],
        ["best", "held-out", "loss", "1", "1.001"],
    ]
    code, _, err = tuneloop("runs", "compare", world[0])
    assert (code, err) == (2, "Error: 1 run cannot be compared. Choose 2 to 5.\n")


def test_deleted_run_is_not_found_again(tuneloop, world):
    assert tuneloop("runs", "delete", world[0])[1] == "Slow is deleted.\n"
    assert tuneloop("runs", "show", world[0])[0] == 4


def test_curve_takes_a_training_recipe_as_it_is(tuneloop, world, tmp_path):
    recipe = tmp_path / "sft.yaml"
    recipe.write_text("kind: sft\nmodel: base\ndataset: faq\nmax_steps: 7\nmax_length: 64\n")
    job = json.loads(
        tuneloop("curve", recipe, "--shares", "0.2,0.5,1", "--seeds", 3, "--no-wait", "--json")[1]
    )
    assert (job["kind"], job["state"]) == ("curve", "queued")
    asked = job["recipe"]
    assert (asked["method"], asked["max_steps"], asked["seeds"]) == ("sft", 7, 3)
    assert (asked["shares"], asked["settings"]) == ([0.2, 0.5, 1.0], {"max_length": 64})


def test_sweep_takes_ranges_and_lists(tuneloop, world, tmp_path):
    recipe = tmp_path / "sft.yaml"
    recipe.write_text("kind: sft\nmodel: base\ndataset: faq\n")
    tries = ("--try", "learning_rate=1e-5..1e-3:log", "--try", "lora.r=8,16")
    job = json.loads(tuneloop("sweep", recipe, *tries, "--trials", 3, "--no-wait", "--json")[1])
    space = job["recipe"]["space"]
    assert space["learning_rate"] == {"low": 1e-5, "high": 1e-3, "log": True}
    assert (space["lora.r"], job["recipe"]["n_trials"]) == ([8, 16], 3)
    ws = open_workspace()
    assert lifecycle.recipe_of(lifecycle.get(ws, LOCAL, job["id"])).n_trials == 3
    ws.close()


@pytest.mark.parametrize("given", ["learning_rate", "learning_rate=a..b", "speed=1,2", "lora.r="])
def test_sweep_space_that_is_invalid_is_refused_in_one_sentence(tuneloop, world, tmp_path, given):
    recipe = tmp_path / "sft.yaml"
    recipe.write_text("kind: sft\nmodel: base\ndataset: faq\n")
    code, out, err = tuneloop("sweep", recipe, "--try", given, "--no-wait")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert "Traceback" not in err
