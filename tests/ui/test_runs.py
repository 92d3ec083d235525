"""Runs: which one is shown, what is read anew, what is drawn, and the buttons."""

from dataclasses import replace

import gradio as gr
import pytest

from engine.core.actor import LOCAL
from engine.core.job import Event, State
from engine.services import jobs, outcomes
from tests import helpers
from tests.ui import results
from ui.tabs import runs
from ui.tabs.runs import View
from ui.views import curves, follow, settings
from ui.views.follow import Track


@pytest.fixture
def world(ws, tmp_path):
    """A project with a base and a dataset: project id, base, data."""
    project = helpers.project(ws).id
    return project, helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)


def sft(ws, world, name, **more):
    project, base, data = world
    return results.submit(ws, project, "sft", name, model=base.id, dataset=data.id, **more)


def running(ws, world, name="Lower rate", **more):
    job = helpers.claimed(ws, sft(ws, world, name, **more).id)
    results.say(ws, job.id, *results.train_events())
    return job


def test_a_project_without_runs_says_what_to_do(ws):
    _, new = runs.refresh(ws, helpers.project(ws).id, View())
    assert new == {"empty": True, "body": False}


def test_the_newest_running_one_is_shown_until_somebody_picks_another(ws, world):
    first = running(ws, world, "First")
    second = sft(ws, world, "Second", seed=2)
    view, new = runs.refresh(ws, world[0], View())
    assert view.shown == first.id
    assert new["cards"].index("Second") < new["cards"].index("First")
    assert "1 before it" in new["cards"]
    view, _ = runs.refresh(ws, world[0], replace(view, picked=second.id))
    assert view.shown == second.id


def test_a_reload_shows_what_was_shown(ws, world):
    running(ws, world)
    view, before = runs.refresh(ws, world[0], View())
    _, after = runs.refresh(ws, world[0], View())
    assert before["top"].partition("tl-stats")[0] == after["top"].partition("tl-stats")[0]
    assert before["losses"] == after["losses"] == (view.shown, 6)


def test_progress_best_loss_and_speed_are_in_the_head_of_a_training(ws, world):
    running(ws, world)
    _, new = runs.refresh(ws, world[0], View())
    for said in ("Step 4 of 8", "2.000", "400", "Teach by example", "faq@1"):
        assert said in new["top"]


def test_only_what_is_new_is_read_and_drawn(ws, world):
    job = running(ws, world)
    view, _ = runs.refresh(ws, world[0], View())
    view, new = runs.refresh(ws, world[0], view)
    assert not {"losses", "settings", "log", "stop"} & new.keys()
    results.say(ws, job.id, ("metric", 5, {"loss": 0.5}))
    view, new = runs.refresh(ws, world[0], view)
    assert new["losses"] == (job.id, 7)
    assert len(view.tracks[job.id].metrics) == 7


def test_a_finished_run_is_read_once_and_then_left_alone(ws, world):
    job = running(ws, world)
    outcomes.end(ws, job.id, job.fence, State.FAILED, "It broke. Use a lower rate.")
    view, new = runs.refresh(ws, world[0], View())
    assert "It broke. Use a lower rate." in new["top"]
    assert (new["stop"], new["again"], new["onward"]) == (False, True, "")
    results.say(ws, job.id, ("log", None, {"text": "never read"}))
    view, new = runs.refresh(ws, world[0], view)
    assert new == {}
    assert runs.updates(view, new) == [gr.skip()] * len(runs.Parts._fields)


def test_each_part_has_its_update(ws, world):
    running(ws, world)
    view, new = runs.refresh(ws, world[0], View())
    updates = runs.updates(view, new)
    assert len(updates) == len(runs.Parts._fields)
    drawn = updates[runs.Parts._fields.index("losses")]
    assert list(drawn.data[0].y) == [3.0, 1.5, 1.0, 0.75]


def test_stop_asks_the_run_to_stop(ws, world):
    job = running(ws, world)
    view, _ = runs.refresh(ws, world[0], View())
    assert runs.stop(ws, view).cancel_requested
    _, new = runs.refresh(ws, world[0], view)
    assert new["stop"] is False
    assert "stopping" in new["cards"]
    assert jobs.get(ws, LOCAL, job.id).state is State.RUNNING


def test_starting_again_queues_the_same_settings(ws, world):
    job = running(ws, world, learning_rate=0.01)
    outcomes.end(ws, job.id, job.fence, State.CANCELLED)
    view, _ = runs.refresh(ws, world[0], View())
    new = runs.again(ws, world[0], view)
    assert new.id != job.id
    assert (new.name, new.recipe) == (job.name, job.recipe)


def test_what_somebody_changed_stands_before_the_defaults(ws, world):
    _, base, data = world
    job = sft(ws, world, "One", learning_rate=0.01)
    html = settings.table(job, {base.id: "Little <base>", data.id: "faq@1"})
    order = ["Little &lt;base&gt;", "faq@1", "Learning rate", "changed", "Epochs"]
    assert [html.index(part) for part in order] == sorted(html.index(part) for part in order)
    assert html.count("changed") == 2  # the class and the word


def test_a_run_that_starts_again_begins_its_curve_anew():
    said = [
        Event(job_id="j", seq=1, at=0, kind="metric", step=1, data={"loss": 9.0}),
        Event(job_id="j", seq=2, at=0, kind="state", data={"state": "running"}),
        Event(job_id="j", seq=3, at=0, kind="metric", step=1, data={"loss": 1.0}),
    ]
    track = follow.taken(Track(), said)
    assert [event.data["loss"] for event in track.metrics] == [1.0]


def test_the_start_is_never_the_best_checkpoint():
    said = [
        Event(job_id="j", seq=n, at=0, kind="metric", step=n, data={"eval_loss": loss})
        for n, loss in enumerate([1.0, 1.4, 1.2])
    ]
    assert follow.best(follow.taken(Track(), said)) == (2, 1.2)


def test_a_dpo_shows_margin_and_accuracy():
    data = {"rewards/margins": 0.5, "rewards/accuracies": 0.9}
    said = [Event(job_id="j", seq=1, at=0, kind="metric", step=1, data=data)]
    assert curves.has_preferences(said)
    drawn = curves.preferences(said, "j")
    assert [list(trace.y) for trace in drawn.data] == [[0.5], [], [0.9], []]


def test_a_long_training_keeps_every_held_out_point_of_its_curve():
    said = [
        Event(
            job_id="j",
            seq=n,
            at=0,
            kind="metric",
            step=n,
            data={"eval_loss": 1.0} if n % 1000 == 7 else {"loss": 1.0},
        )
        for n in range(20_000)
    ]
    kept = curves.thinned(said)
    assert len(kept) < 1_700
    assert sum("eval_loss" in event.data for event in kept) == 20


def test_names_and_lines_are_text_never_html(ws, world):
    job = running(ws, world, name="<img src=x>")
    results.say(ws, job.id, ("log", None, {"text": "<script>"}))
    _, new = runs.refresh(ws, world[0], View())
    shown = new["cards"] + new["top"] + new["log"]
    assert "<img" not in shown
    assert "<script>" not in shown
