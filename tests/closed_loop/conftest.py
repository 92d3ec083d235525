"""A taught base, made once for all test workers, and laps that start from it."""

import fcntl
import os
from functools import cache

import pytest

from tests.closed_loop import loop_steps


@pytest.fixture(scope="session")
def taught_base(tmp_path_factory):
    """The folder of a base that has learned the toy task by supervised training."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "toy-base"
    with (shared / "toy-base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            loop_steps.taught(tmp_path_factory.mktemp("toy"), folder)
    return folder


@pytest.fixture(scope="session")
def start(taught_base, tmp_path_factory):
    """Makes a lap in a workspace of its own."""
    begun = []

    def begin():
        begun.append(loop_steps.begin(tmp_path_factory.mktemp("lap") / "home", taught_base))
        return begun[-1]

    yield begin
    for lap in begun:
        lap.ws.close()


@pytest.fixture(scope="session")
def followed(start):
    """The loop once round with raters who want shorter answers nine times in ten, by its seed."""
    return cache(lambda seed: loop_steps.once_round(start(), loop_steps.wish(0.9), seed))
