"""The loop going round by itself on a tiny model: it follows its raters, stops, and goes on."""

import threading
import time
from contextlib import contextmanager

import pytest

from engine import child
from engine.core.actor import LOCAL
from engine.core.dataset import Split
from engine.core.job import State
from engine.orchestrate import auto_loop_job
from engine.services import projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.loop.history import history
from engine.services.models import registry
from engine.services.preferences import build
from engine.services.rating import rounds
from engine.store import jobs as store
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import letter_model

pytestmark = pytest.mark.train
GENTLE = {"num_train_epochs": 2.0, "learning_rate": 7e-4, "num_evals": 2}
HARSH = {"num_train_epochs": 6.0, "learning_rate": 5e-3, "num_evals": 2, "keep_best": False}


@pytest.fixture
def space(home):
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    yield ws
    ws.close()


@contextmanager
def working(ws):
    """A worker for each lane, in threads, so that torch is loaded once."""
    stop = threading.Event()

    def drive(lane):
        while not stop.is_set():
            with writing(ws.db) as conn:
                job = store.claim(conn, lane, "here:1", "here", time.time() + 3600)
            if job:
                child.run(ws, job.id, job.fence)
            time.sleep(0.05)

    threads = [threading.Thread(target=drive, args=(lane,)) for lane in ("compute", "loop")]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def until(found, seconds=900):
    """Wait until `found` is true."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def school(tiny_model, tmp_path_factory):
    """The folder of the data and of a base that was taught on it."""
    folder = tmp_path_factory.mktemp("school")
    letter_model.write_data(folder, tail=" and no more")
    letter_model.taught(tiny_model, folder / "library_faq.jsonl")
    return folder


@pytest.fixture
def begin(space, school):
    """Starts a loop on letters: (project id, job)."""
    base = registry.add_base(space, LOCAL, "tiny", school / "base", "folder")
    project = projects.create(space, LOCAL, "loop").id
    file, prompts = school / "library_faq.jsonl", school / "library_prompts.jsonl"
    asked = datasets.add(space, LOCAL, project, prompts, prompts.name)
    tests = datasets.add(space, LOCAL, project, file, file.name, held_out=0.45, seed=7)

    def submit(**values):
        recipe = auto_loop_job.Recipe(
            model=base.id, dataset=asked.id, dataset_test=tests.id,
            **{"dpo": GENTLE, "max_new_tokens": 40, **values},
        )  # fmt: skip
        return project, lifecycle.submit(space, LOCAL, project, recipe, "By itself")

    return submit


def over(ws, job):
    return lambda: lifecycle.get(ws, LOCAL, job.id).over


def test_two_generations_follow_their_raters(space, begin):
    project, job = begin(rater="shorter", raters=2, generations=2)
    with working(space):
        until(over(space, job))
    job = lifecycle.get(space, LOCAL, job.id)
    assert job.state is State.DONE, job.error
    seen = history(space, LOCAL, project)
    first = seen.generations[0]
    assert first.against_baseline, job.result.ended
    assert first.against_baseline.report.verdict.decision == "better", seen.generations[0].sentence
    assert seen.champion_id in {g.model.id for g in seen.generations}, job.result
    assert job.result.champion == seen.champion_id
    assert job.result.ended
    assert all((first.export_sha256, first.evaluation_id, first.model.job_id))
    export = build.get(space, LOCAL, first.export_id)
    split: Split = "held_out"
    asked = {r.plan.dataset for r in rounds.list_all(space, LOCAL, project)
             if r.purpose == "blind_eval"}  # fmt: skip
    kept = {row.example.prompt[-1].content
            for one in asked for row in datasets.rows(space, LOCAL, one, split)}  # fmt: skip
    trained = {row.example.prompt[-1].content
               for row in datasets.rows(space, LOCAL, export.dataset_id)}  # fmt: skip
    assert kept
    assert not kept & trained


def test_model_that_lost_something_is_not_shown_to_people(space, begin):
    project, job = begin(rater="shorter", generations=1, dpo=HARSH)
    with working(space):
        until(over(space, job))
    job = lifecycle.get(space, LOCAL, job.id)
    assert job.state is State.DONE, job.error
    assert "The newest model regressed" in job.result.ended
    assert not [r for r in rounds.list_all(space, LOCAL, project) if r.purpose == "blind_eval"]
    assert champion.current(space, LOCAL, project) is None


def test_random_raters_promote_no_model(space, begin):
    project, job = begin(rater="random", raters=2, generations=1)
    with working(space):
        until(over(space, job))
    job = lifecycle.get(space, LOCAL, job.id)
    assert job.state is State.DONE, job.error
    (only,) = history(space, LOCAL, project).generations
    lucky = False
    if only.against_baseline:  # the guard may have kept it from people
        verdict = only.against_baseline.report.verdict
        assert 0.3 < verdict.win_rate < 0.7  # four standard errors
        lucky = verdict.decision == "better"  # in one of forty runs: that is what 95 % means
    assert (champion.current(space, LOCAL, project) is not None) == lucky


def test_auto_loop_waits_for_people_and_resumes_where_it_stopped(space, begin):
    project, job = begin(generations=1)
    with working(space):
        until(lambda: any(r.status == "open" for r in rounds.list_all(space, LOCAL, project)))
        until(lambda: any("Waiting for votes" in str(e.data)
                          for e in lifecycle.watch(space, LOCAL, job.id)))  # fmt: skip
        lifecycle.cancel(space, LOCAL, job.id)
        until(over(space, job))
        assert lifecycle.get(space, LOCAL, job.id).state is State.CANCELLED
        before = rounds.list_all(space, LOCAL, project)
        _, again = begin(rater="shorter", raters=2, generations=1)
        until(over(space, again))
    assert lifecycle.get(space, LOCAL, again.id).state is State.DONE
    rated = [r for r in rounds.list_all(space, LOCAL, project) if r.purpose == "train_pairs"]
    assert [r.id for r in rated] == [r.id for r in before]


def test_auto_loop_out_of_patience_ends_and_says_what_it_waits_for(space, begin):
    project, job = begin(generations=1, wait_hours=1e-9)
    with working(space):
        until(over(space, job))
    job = lifecycle.get(space, LOCAL, job.id)
    assert job.state is State.DONE, job.error
    assert job.result.waiting
    assert "Waiting for votes on Rating round 1: 0 of" in job.result.ended
    assert rounds.list_all(space, LOCAL, project)[0].status == "open"


def test_auto_loop_retries_cut_answers_with_a_larger_limit(space, begin):
    project, job = begin(generations=1, max_new_tokens=10, samples=2, wait_hours=1e-9)
    with working(space):
        until(over(space, job))
    first, second = rounds.list_all(space, LOCAL, project)[::-1]
    assert (first.plan.max_new_tokens, second.plan.max_new_tokens) == (10, 20)
    cut = [rounds.left_out(space, LOCAL, one.id)["truncated"] for one in (first, second)]
    assert cut[0] == first.plan.prompts > cut[1]
