"""The demo job, the whole loop on a tiny model: real TRL, simulated raters, a verdict.

It runs as it does for a person; only its data is smaller, and the worker's processes are threads,
so that torch is loaded once.
"""

import threading
import time
from functools import partial

import pytest

from engine import child
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.orchestrate import demo_job
from engine.services import projects
from engine.services.data import datasets
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.services.loop.status import status
from engine.services.models import registry
from engine.services.preferences import build
from engine.services.rating import rounds
from engine.store import jobs as store
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import letter_model

pytestmark = pytest.mark.train


@pytest.fixture
def space(home):
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    yield ws
    ws.close()


def drive(ws, lane, stop):
    while not stop.is_set():
        with writing(ws.db) as conn:
            job = store.claim(conn, lane, "here:1", "here", time.time() + 3600)
        if job:
            child.run(ws, job.id, job.fence)
        time.sleep(0.05)


@pytest.fixture
def go_round(space, tiny_model, tmp_path, monkeypatch):
    """Runs a demo with raters of one rule to its end: (project, job)."""
    return partial(ended_demo, space, tiny_model, tmp_path, monkeypatch)


def ended_demo(space, tiny_model, tmp_path, monkeypatch, rater):
    letter_model.write_data(tmp_path)
    monkeypatch.setattr(demo_job, "DATA", tmp_path)
    folder = letter_model.taught(tiny_model, tmp_path / "library_faq.jsonl")
    base = registry.add_base(space, LOCAL, "tiny", folder, "folder")
    project = projects.create(space, LOCAL, "loop")
    recipe = demo_job.Recipe(
        model=base.id,
        rater=rater,
        sft={"num_train_epochs": 2, "learning_rate": 1e-3, "num_evals": 2},
        dpo={"num_train_epochs": 3, "learning_rate": 2e-3, "num_evals": 2},
        max_new_tokens=24,
        raters=2,
    )
    job = lifecycle.submit(space, LOCAL, project.id, recipe)
    stop = threading.Event()
    threads = [
        threading.Thread(target=drive, args=(space, lane, stop)) for lane in ("compute", "loop")
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 900
    while not lifecycle.get(space, LOCAL, job.id).over and time.monotonic() < end:
        time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    return project, lifecycle.get(space, LOCAL, job.id)


def test_loop_closes_and_follows_its_raters(space, go_round):
    project, job = go_round("shorter")
    assert job.state is State.DONE, job.error
    report = job.result.report
    assert report is not None
    assert report.decision == "better"
    assert report.low > 0.5
    assert report.pairs >= 20
    assert (space.files / "jobs" / job.id / "report.md").read_text().startswith("# The loop")

    states = {step.name: step.state for step in status(space, LOCAL, project.id).steps}
    assert set(states.values()) == {"done"}

    base, sft, dpo = registry.list_all(space, LOCAL, project.id)
    assert [m.id for m in registry.lineage(space, LOCAL, dpo.id)] == [dpo.id, sft.id, base.id]
    assert not (space.files / dpo.path / "ref").exists()

    done = evaluations.get(space, LOCAL, evaluations.list_all(space, LOCAL, project.id)[0].id)
    assert done.models == (base.id, sft.id, dpo.id)
    assert done.gains[sft.id]["bleu"].n == len(done.rows) > 0

    faq = next(d for d in datasets.list_all(space, LOCAL, project.id) if d.kind == "sft")
    kept_out = datasets.rows(space, LOCAL, faq.id, "held_out")
    held_out = {row.example.prompt[-1].content for row in kept_out}
    export = build.list_all(space, LOCAL, project.id)[0]
    trained = {r.example.prompt[-1].content for r in datasets.rows(space, LOCAL, export.dataset_id)}
    assert not trained & held_out
    blind = next(r for r in rounds.list_all(space, LOCAL, project.id) if r.purpose == "blind_eval")
    assert blind.status == "closed"
