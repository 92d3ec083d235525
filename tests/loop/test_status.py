"""The status of the loop: every step, its newest result, and the one next action."""

from itertools import count

from engine.core.actor import LOCAL
from engine.services.loop.status import status
from engine.services.preferences import build
from engine.services.rating import rounds
from tests import helpers
from tests.rating import screen
from tests.ui import results

keys = (f"stand-{n:08d}" for n in count())


def states(ws, project):
    found = status(ws, LOCAL, project.id)
    return {s.name: s.state for s in found.steps}, found


def vote_all(ws, one):
    shown = screen.next_pair(ws, LOCAL, one.id)
    while shown:
        side = "left" if "new" in shown.left else "right"
        shown = screen.vote(ws, LOCAL, shown.token, next(keys), side)


def test_empty_project_asks_for_data(ws):
    found, said = states(ws, helpers.project(ws))
    assert found.pop("data") == "next"
    assert set(found.values()) == {"todo"}
    assert said.next_action == "add_data"


def test_status_after_data_asks_for_training(ws, tmp_path):
    project = helpers.project(ws)
    helpers.dataset(ws, project.id, tmp_path)
    found, said = states(ws, project)
    assert (found["data"], found["train"]) == ("done", "next")
    assert (said.next_action, said.steps[0].count) == ("train_first", 40)


def test_model_of_all_weights_is_a_first_model_too(ws, tmp_path):
    project = helpers.project(ws)
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
    results.adapter(ws, project.id, base, data, kind="full")
    found, said = states(ws, project)
    assert (found["train"], said.next_action) == ("done", "evaluate")


def test_evaluation_step_names_its_metric_and_score(ws, tmp_path):
    project = helpers.project(ws)
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
    tuned = results.adapter(ws, project.id, base, data)
    results.evaluated(ws, project.id, data, base, tuned, {3: ("no", 0.1, "yes", 0.9)})
    _, said = states(ws, project)
    (step,) = (step for step in said.steps if step.name == "evaluate")
    assert step.label == "rougeL"
    assert 0 <= step.value <= 1


def test_votes_make_the_rating_done_and_pairs_follow(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path)
    assert states(ws, project)[0]["rate"] == "running"
    vote_all(ws, one)
    found, _ = states(ws, project)
    assert (found["rate"], found["pairs"]) == ("done", "todo")
    build.make(ws, LOCAL, project.id)
    assert states(ws, project)[0]["pairs"] == "done"


def test_closed_blind_round_is_a_verdict(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path, purpose="blind_eval")
    vote_all(ws, one)
    found, _ = states(ws, project)
    assert (found["blind"], found["verdict"]) == ("done", "todo")
    rounds.close(ws, LOCAL, one.id)
    found, said = states(ws, project)
    assert found["verdict"] == "done"
    assert said.steps[-1].value == 1.0
