"""The judge's panel, its job and its service, against a small endpoint at 127.0.0.1."""

import pytest

from engine import child
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.core.job import State
from engine.services.evaluation import llm_judge as evaluation_llm_judge
from engine.services.jobs import lifecycle
from tests import helpers
from tests.metrics.test_llm_judge import KEY, endpoint
from tests.ui import results
from ui.pages.evaluation import llm_judge
from ui.pages.evaluation.llm_judge import JudgeView

# index -> the baseline's answer, the model's answer; the stub likes texts that begin with "good"
ANSWERS = {n: ("bad", 0.0, "good", 1.0) if n < 9 else ("good", 1.0, "bad", 0.0) for n in range(12)}


@pytest.fixture
def world(ws, tmp_path):
    """A project with one evaluation: project id, evaluation id, base, tuned model."""
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    tuned = results.adapter(ws, project, base, data)
    made = results.evaluated(ws, project, data, base, tuned, ANSWERS)
    return project, made, base, tuned


@pytest.fixture
def stub(monkeypatch):
    """A judge in the environment; the list of what it was asked."""
    with endpoint(lambda text, _: "A" if "<A>\ngood" in text else "B") as (known, asked):
        monkeypatch.setenv("TUNELOOP_JUDGE_URL", known.url)
        monkeypatch.setenv("TUNELOOP_JUDGE_MODEL", "referee")
        monkeypatch.setenv("TUNELOOP_JUDGE_KEY", KEY)
        yield asked


def done(ws, job):
    claimed = helpers.claimed(ws, job.id, "loop")
    child.run(ws, claimed.id, claimed.fence)
    return lifecycle.get(ws, LOCAL, job.id)


def test_judge_compares_the_rows_of_an_evaluation_in_both_orders(ws, world, stub):
    project, made, _, tuned = world
    job = done(ws, llm_judge.start(ws, project, made, tuned.id, 50))
    assert (job.state, job.error) == (State.DONE, None)
    judged = job.result.judged
    assert (judged.wins, judged.losses, judged.failed) == (9, 3, 0)
    assert len(stub) == 2 * len(ANSWERS)
    assert "wins 9, losses 3" in job.result.sentence
    drawn = llm_judge.shown(ws, job)
    assert "referee at 127.0.0.1" in drawn
    assert drawn.count("<li>") == len(ANSWERS)
    said = str(job.result) + str(lifecycle.watch(ws, LOCAL, job.id)) + drawn
    assert KEY not in said


def test_no_more_rows_are_judged_than_asked_for(ws, world, stub):
    project, made, _, tuned = world
    done(ws, llm_judge.start(ws, project, made, tuned.id, 2))
    assert len(stub) == 4


def test_llm_judge_refresh_sends_each_result_once(ws, world, stub):
    project, made, _, tuned = world
    seen, progress, drawn = llm_judge.poll(ws, project, made, tuned.id, JudgeView())
    assert (progress, drawn) == ("", "")
    job = llm_judge.start(ws, project, made, tuned.id, 50)
    seen, progress, _ = llm_judge.poll(ws, project, made, tuned.id, seen)
    assert "A judge on" in progress
    done(ws, job)
    seen, _, drawn = llm_judge.poll(ws, project, made, tuned.id, seen)
    assert "no difference shown" in drawn.lower()
    assert llm_judge.poll(ws, project, made, tuned.id, seen)[2] == {"__type__": "update"}


def test_llm_judge_panel_without_a_judge_says_how_to_set_one_up(ws, world):
    project, made, _, tuned = world
    assert evaluation_llm_judge.configured() is None
    assert "TUNELOOP_JUDGE_URL" in evaluation_llm_judge.missing()
    with pytest.raises(UserError, match="No LLM judge is configured"):
        llm_judge.start(ws, project, made, tuned.id, 50)


def test_refusal_ends_the_run_with_its_sentence(ws, world, monkeypatch):
    project, made, _, tuned = world
    with endpoint(lambda *_: (401, "no")) as (known, _):
        monkeypatch.setenv("TUNELOOP_JUDGE_URL", known.url)
        monkeypatch.setenv("TUNELOOP_JUDGE_MODEL", "referee")
        job = done(ws, llm_judge.start(ws, project, made, tuned.id, 50))
    assert (job.state, "HTTP 401" in job.error) == (State.FAILED, True)
    progress = llm_judge.poll(ws, project, made, tuned.id, JudgeView())[1]
    assert "could not be asked" in progress


def test_evaluations_of_others_and_models_that_were_not_asked_are_refused(ws, world, stub):
    project, made, base, tuned = world
    other = helpers.project(ws, "Other").id
    with pytest.raises(NotFound):
        evaluation_llm_judge.submit(ws, LOCAL, other, made, tuned.id, 5)
    with pytest.raises(Forbidden):
        evaluation_llm_judge.submit(
            ws, Actor(name="r", role=Role.RATER), project, made, tuned.id, 5
        )
    job = done(ws, evaluation_llm_judge.submit(ws, LOCAL, project, made, base.id, 5))
    assert (job.state, "has no other model beside that one" in job.error) == (State.FAILED, True)
    assert stub == []


def test_llm_judge_offers_the_models_evaluated_beside_the_baseline(ws, world):
    project, made, _, tuned = world
    offered, kept = llm_judge.choices(ws, project, made, None)
    assert ([value for _, value in offered], kept) == ([tuned.id], tuned.id)
    assert llm_judge.choices(ws, project, None, tuned.id) == ([], None)
