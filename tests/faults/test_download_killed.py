"""A download whose process is killed goes on where it was, in a real worker."""

import os
import signal

import pytest

from engine.core.actor import LOCAL
from engine.core.event import ProgressEvent
from engine.core.job import State
from engine.services import hub as service
from engine.services.jobs import lifecycle
from engine.services.models import registry
from tests import helpers, hub_server

NAME = "makers/tiny-chat"
HELD_AFTER = 100_000  # bytes of the weights that have come before the kill


@pytest.fixture
def job(space, hub, tiny_model):
    """A download of which some bytes of the weights come, and the rest once it is released."""
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    hub.hold_after = HELD_AFTER
    return service.add(space, LOCAL, helpers.project(space).id, NAME)


def weights_come(space):
    """Whether a part of the weights lies on the disk."""
    found = (space.files / "cache" / "bases").glob("*/model.safetensors.part")
    return any(path.stat().st_size > 0 for path in found)


def test_killed_download_goes_on_where_it_was(space, worker, hub, job, turn_until):
    turn_until(worker, job.id, lambda _: weights_come(space))
    os.killpg(worker.running[job.id].process.pid, signal.SIGKILL)
    turn_until(worker, job.id, lambda now: now.attempts == 2 or now.over)
    hub.release.set()
    done = turn_until(worker, job.id, lambda now: now.over)
    assert done.state is State.DONE, done.error
    ranges = [h.get("range") for path, h in hub.asked if path.endswith("model.safetensors")]
    assert ranges[0] is None
    assert ranges[-1].startswith("bytes=")
    assert ranges[-1] != "bytes=0-"
    assert [one.name for one in registry.list_all(space, LOCAL)] == [NAME]
    said = [e for e in lifecycle.watch(space, LOCAL, job.id) if isinstance(e, ProgressEvent)]
    assert said[-1].data["done"] == said[-1].data["total"]


def test_download_that_is_stopped_ends_and_leaves_no_base(space, worker, job, turn_until):
    turn_until(worker, job.id, lambda _: weights_come(space))
    lifecycle.cancel(space, LOCAL, job.id)
    stopped = turn_until(worker, job.id, lambda now: now.over)
    assert stopped.state is State.CANCELLED
    assert registry.list_all(space, LOCAL) == []
