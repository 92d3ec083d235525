"""Seconds from a question to its first words and to its end: a fresh process and one that waited.

Every repetition starts a worker of its own and asks it twice, so the first question always finds no
process, and the second one finds the one of the first. Both are asked on the same machine within
seconds of one another; on a busy one only their ratio says something.
"""

import os
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from engine import worker
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.jobs import playground
from engine.services.jobs import lifecycle
from engine.services.models import registry
from tests import helpers
from tests.bench import bench_tools

TIMES = int(os.environ.get("TUNELOOP_BENCH_TIMES", "5"))
PROMPTS = ("How do I renew a book?", "Are you open today?")
LONGEST = 32


@pytest.fixture(params=["tiny", "SmolLM2-135M-Instruct"])
def folder(request):
    if request.param == "tiny":
        return request.getfixturevalue("tiny_model")
    found = Path(os.environ.get("TUNELOOP_MODEL", ""))
    if not (found / "config.json").is_file():
        pytest.skip("no model to ask: set TUNELOOP_MODEL to the folder of SmolLM2-135M-Instruct")
    return found.resolve()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_first_and_second_question(ws, folder):
    model = registry.add_base(ws, LOCAL, folder.name, folder, "folder")
    project, under = helpers.project(ws), bench_tools.conditions(ws)
    found = [twice(ws, project.id, model.id) for _ in range(TIMES)]
    print(f"\n{folder.name}, at most {LONGEST} tokens, n = {TIMES}, {under}")
    for number, name in enumerate(("first words", "end")):
        first, second = ([each[n][number] for each in found] for n in (0, 1))
        ratios = [a / b for a, b in zip(first, second, strict=True)]
        print(f"{name:12} first question {told(first)}   second {told(second)}   "
              f"ratio {median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")  # fmt: skip
    print(f"the process that waits holds {median(each[2] for each in found):.0f} MB")


def told(seconds):
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def twice(ws, project, model):
    """Of a first and a second question: seconds to its first words and to its end; then MB."""
    process = worker.start(ws)
    try:
        times = [asked(ws, project, model, prompt) for prompt in PROMPTS]
        children = psutil.Process(process.pid).children()
        assert len(children) == 1
        return *times, children[0].memory_info().rss / 2**20
    finally:
        process.terminate()
        process.wait()


def asked(ws, project, model, prompt):
    wait(lambda: lifecycle.worker_alive(ws, LOCAL))
    time.sleep(2 * worker.POLL_EVERY_S)  # the worker has come to rest, as when a person types
    recipe = playground.Recipe(models=(model,), prompt=prompt, max_new_tokens=LONGEST)
    job = lifecycle.submit(ws, LOCAL, project, recipe)
    wait(lambda: lifecycle.get(ws, LOCAL, job.id).over)
    job = lifecycle.get(ws, LOCAL, job.id)
    assert job.state is State.DONE, job.error
    said = [event for event in lifecycle.watch(ws, LOCAL, job.id) if event.kind == "sample"]
    return said[0].at - job.created_at, job.finished_at - job.created_at


def wait(ready):
    while not ready():
        time.sleep(0.1)
