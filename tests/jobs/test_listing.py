"""Runs after the fact: found by any of their words, named, tagged, compared, deleted, awaited."""

import time

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.core.training_estimate import TimeRange
from engine.methods import sft as sft_method
from engine.services import job_outcomes
from engine.services.evaluation import evaluations
from engine.services.jobs import compare, lifecycle, listing, queue_position
from engine.services.models import registry
from engine.services.rating import rounds
from engine.services.rating.plans import RoundRecipe
from engine.services.training import estimate
from engine.store import estimates, events
from engine.store.connect import writing
from tests import helpers
from tests.ui import results


@pytest.fixture
def world(ws, tmp_path):
    """A project with a base and a dataset: project id, base, data."""
    project = helpers.project(ws).id
    return project, helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)


def sft(ws, world, name, **more):
    project, base, data = world
    return results.submit(ws, project, "sft", name, model=base.id, dataset=data.id, **more)


def done(ws, job, **result):
    """The job, run to its end."""
    job = helpers.claimed(ws, job.id)
    job_outcomes.store(ws, job, Outcome(result=result))
    return lifecycle.get(ws, LOCAL, job.id)


def names(found):
    return [job.name for job in found]


def test_search_finds_words_of_name_note_tag_and_data(ws, world):
    first, second = sft(ws, world, "Low rate"), sft(ws, world, "High rate", seed=2)
    listing.annotate(ws, LOCAL, first.id, "Too slow; forgot the opening hours")
    listing.tag(ws, LOCAL, second.id, ["keep", "paper  table"])
    for text, expected in (
        ("RATE", ["High rate", "Low rate"]),
        ("rate hours", ["Low rate"]),
        ("paper table", ["High rate"]),
        ("faq", ["High rate", "Low rate"]),
        ("nowhere", []),
    ):
        assert names(listing.search(ws, LOCAL, world[0], text)) == expected
    assert names(listing.search(ws, LOCAL, world[0], tags=["keep"])) == ["High rate"]
    assert listing.tags(ws, LOCAL, world[0]) == ["keep", "paper table"]


def test_search_sorts_and_filters_by_kind_and_state(ws, world):
    bad = done(ws, sft(ws, world, "bad"), best_held_out_loss=2.0)
    good = done(ws, sft(ws, world, "Good", seed=2), best_held_out_loss=1.0)
    waits = sft(ws, world, "waits", seed=3)
    order = {s: names(listing.search(ws, LOCAL, world[0], sort=s)) for s in ("loss", "name")}
    assert order == {"loss": ["Good", "bad", "waits"], "name": ["bad", "Good", "waits"]}
    assert names(listing.search(ws, LOCAL, world[0], sort="oldest")) == ["bad", "Good", "waits"]
    queued = listing.search(ws, LOCAL, world[0], states=[State.QUEUED])
    assert [job.id for job in queued] == [waits.id]
    assert listing.search(ws, LOCAL, world[0], kinds=["dpo"]) == []
    assert {bad.state, good.state} == {State.DONE}


def test_run_gets_another_name_and_never_none(ws, world):
    job = sft(ws, world, "One")
    assert listing.rename(ws, LOCAL, job.id, "  Another\n name ").name == "Another name"
    with pytest.raises(UserError, match="needs a name"):
        listing.rename(ws, LOCAL, job.id, "  ")
    assert lifecycle.get(ws, LOCAL, job.id).name == "Another name"


@pytest.mark.parametrize("tags", [["x" * 31], ["a,b"], [str(n) for n in range(13)]])
def test_tags_that_nobody_could_use_are_refused(ws, world, tags):
    with pytest.raises(UserError):
        listing.tag(ws, LOCAL, sft(ws, world, "One").id, tags)


def test_deleted_run_is_gone_with_its_files_events_and_model(ws, world):
    model = results.adapter(ws, world[0], world[1], world[2])
    folder = ws.files / "jobs" / model.job_id
    folder.mkdir(parents=True)
    (folder / "adapter.bin").write_bytes(b"x")
    listing.remove(ws, LOCAL, model.job_id)
    assert not folder.exists()
    assert [one.id for one in registry.list_all(ws, LOCAL, world[0])] == [world[1].id]
    with pytest.raises(NotFound):
        lifecycle.get(ws, LOCAL, model.job_id)


def test_run_whose_model_was_evaluated_stays_until_the_evaluation_goes(ws, world):
    project, base, data = world
    model = results.adapter(ws, project, base, data)
    answers = {1: ("a", 0.0, "b", 1.0)}
    results.evaluated(ws, project, data, base, model, answers, name="First test")
    with pytest.raises(Conflict, match="the evaluation First test"):
        listing.remove(ws, LOCAL, model.job_id)
    (ref,) = evaluations.list_all(ws, LOCAL, project)
    listing.remove(ws, LOCAL, ref.job_id)
    listing.remove(ws, LOCAL, model.job_id)
    assert listing.search(ws, LOCAL, project) == []


def test_run_whose_model_is_rated_or_trained_on_stays(ws, world):
    project, base, data = world
    model = results.adapter(ws, project, base, data)
    recipe = RoundRecipe(model=model.id, baseline=base.id, dataset=data.id, prompts=20)
    one = rounds.start(ws, LOCAL, project, recipe)
    with pytest.raises(Conflict) as caught:
        listing.remove(ws, LOCAL, model.job_id)
    assert f"the round {one.name}" in str(caught.value)
    lifecycle.cancel(ws, LOCAL, one.job_id)
    with pytest.raises(Conflict, match="the round"):
        listing.remove(ws, LOCAL, one.job_id)


def test_run_that_goes_on_or_is_anothers_is_not_deleted(ws, world):
    job = sft(ws, world, "One")
    with pytest.raises(Conflict, match="not over"):
        listing.remove(ws, LOCAL, job.id)
    lifecycle.cancel(ws, LOCAL, job.id)
    with pytest.raises(Forbidden, match="started by local"):
        listing.remove(ws, Actor(name="mia", role=Role.TRAINER), job.id)
    with pytest.raises(Forbidden):
        listing.search(ws, Actor(name="rater", role=Role.RATER), world[0])


def test_comparison_shows_only_settings_that_differ_curves_and_last_numbers(ws, world):
    first = sft(ws, world, "One", learning_rate=0.01, lora={"r": 4})
    done(ws, first, best_held_out_loss=2.0, steps=4)
    results.say(ws, first.id, *results.train_events())
    second = sft(ws, world, "Two", learning_rate=0.02, lora={"r": 8})
    done(ws, second, steps=8)
    found = compare.compare(ws, LOCAL, [first.id, second.id, first.id])
    assert found.settings == {"learning_rate": (0.01, 0.02), "lora.r": (4, 8)}
    (curve,) = found.series["eval_loss"]
    assert (curve.job_id, curve.steps, curve.values) == (first.id, (0, 4), (3.0, 2.0))
    assert found.finals == {"best held-out loss": (2.0, None), "steps": (4.0, 8.0)}


def test_comparison_takes_two_to_five_runs(ws, world):
    ids = [sft(ws, world, f"run {n}", seed=n).id for n in range(6)]
    for wanted in (ids[:1], ids[:1] * 2, ids):
        with pytest.raises(UserError, match="Choose 2 to 5"):
            compare.compare(ws, LOCAL, wanted)


def test_steps_repeated_after_a_restart_are_drawn_once(ws, world):
    one, two = sft(ws, world, "One"), sft(ws, world, "Two", seed=2)
    for step in (1, 2, 3):
        results.say(ws, one.id, ("metric", step, {"loss": 9.0}))
    results.say(ws, one.id, ("state", None, {"state": "running"}))
    for step in (1, 2, 3, 4):  # an attempt that goes on says again what it goes on from
        results.say(ws, one.id, ("metric", step, {"loss": 1.0}))
    (curve,) = compare.compare(ws, LOCAL, [one.id, two.id]).series["loss"]
    assert (curve.steps, curve.values) == ((1, 2, 3, 4), (1.0, 1.0, 1.0, 1.0))


def test_queue_estimates_when_each_job_starts(ws, world):
    going = helpers.claimed(ws, sft(ws, world, "goes").id)
    waits = [sft(ws, world, f"waits {n}", seed=n) for n in (1, 2, 3)]
    asked = sft_method.Recipe(model="none", dataset="none")
    likely = estimate.what_if(LOCAL, asked, 1e6).model_copy(
        update={"seconds": TimeRange(low=50.0, likely=100.0, high=200.0)}
    )
    with writing(ws.db) as conn:
        left = {"done": 1, "total": 4, "label": "", "eta_s": 30.0}
        events.add(conn, going.id, [(time.time() - 10, "progress", 1, left)])
        estimates.add(conn, waits[0].id, time.time(), likely)
    found = queue_position.queue(ws, LOCAL)
    assert [one.job_id for one in found] == [job.id for job in waits]
    assert [one.place for one in found] == [1, 2, 3]
    assert found[0].starts_in_s == pytest.approx(20, abs=2)
    assert found[1].starts_in_s == pytest.approx(120, abs=2)
    assert found[2].starts_in_s is None


def test_progress_without_a_remaining_time_is_extrapolated(ws, world):
    going = helpers.claimed(ws, sft(ws, world, "goes").id)
    sft(ws, world, "waits", seed=2)
    with writing(ws.db) as conn:
        said = {"done": 1, "total": 4, "label": ""}
        events.add(conn, going.id, [(going.started_at + 10, "progress", 1, said)])
    assert queue_position.queue(ws, LOCAL)[0].starts_in_s == pytest.approx(30)
