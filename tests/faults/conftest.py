"""A workspace whose children know the fake jobs, and a worker that leaves no child behind."""

import time
from pathlib import Path

import pytest

from engine.core.actor import LOCAL
from engine.services.jobs import lifecycle
from engine.worker import Worker
from engine.workspace import Settings, open_workspace
from tests import helpers

DEADLINE_S = 300.0  # only a fault waits for so long
FAKE = str(Path(__file__).parent / "fake")


@pytest.fixture
def space(home, monkeypatch):
    """A workspace on SQLite whose children know the fake jobs."""
    monkeypatch.syspath_prepend(FAKE)
    monkeypatch.setenv("PYTHONPATH", FAKE)
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    yield ws
    ws.close()


@pytest.fixture
def worker(space):
    one = Worker(space)
    yield one
    for running in one.running.values():
        running.process.kill()
    one.warm.end()


@pytest.fixture
def train(space):
    """Queues a fake training; its job."""

    def submit(**values):
        from fake_training import Recipe

        return lifecycle.submit(space, LOCAL, helpers.project(space).id, Recipe(**values))

    return submit


@pytest.fixture
def turn_until():
    """Lets a worker look around until `ready(job)`; the job then."""

    def turn(worker, job_id, ready, seconds=DEADLINE_S):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            worker.poll(time.time())
            job = lifecycle.get(worker.ws, LOCAL, job_id)
            if ready(job):
                return job
            time.sleep(0.05)
        raise AssertionError(f"still {job.state} after {seconds} s: {job.error}")

    return turn
