"""What is said before a training against what it then takes, of each thing that can be known.

A workspace that knows nothing guesses from arithmetic; one with a warm-up goes by that; one with a
finished run goes by its speed, also for other rows and steps. Every training runs in the server's
own worker. Time should come to 0.5 to 2 times what was said, memory to 0.7 to 1.4 times.
"""

import faulthandler
import os
import time
from pathlib import Path

import pytest

from engine import worker
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.core.job_result import TrainingResult
from engine.core.recipe import read
from engine.jobs import warmup
from engine.methods import dpo, sft
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.training import estimate
from engine.store import estimates
from engine.store.connect import reading
from tests import helpers
from tests.bench import bench_tools
from tests.bench.bench_train import dpo_rows, sft_rows, write

METHODS = {"sft": (sft, sft_rows), "dpo": (dpo, dpo_rows)}
STEPS = {"sft": (40, 80), "dpo": (15, 30)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("method", METHODS)
def test_estimates(ws, method, shared_data, tmp_path):
    faulthandler.cancel_dump_traceback_later()  # the suite's limit for a test is shorter
    folder = Path(os.environ.get("TUNELOOP_MODEL", ""))
    if not (folder / "config.json").is_file():
        pytest.skip("no model to train: set TUNELOOP_MODEL to the folder of SmolLM2-135M-Instruct")
    module, rows = METHODS[method]
    project = helpers.project(ws)
    model = registry.add_base(ws, LOCAL, folder.name, folder.resolve(), "folder")
    write(tmp_path / "rows.jsonl", rows(shared_data))
    data = datasets.add(ws, LOCAL, project.id, tmp_path / "rows.jsonl", "rows.jsonl", held_out=0.15)
    few, more = (
        read(module.Recipe, {"model": model.id, "dataset": data.id, "max_steps": steps})
        for steps in STEPS[method]
    )
    print(f"\n{method}, {folder.name}, {data.train_rows} rows, {bench_tools.conditions(ws)}")
    process = worker.start(ws)
    try:
        warmed = warmup.Recipe(method=method, recipe=few.model_dump(mode="json"))
        guess = estimate.estimate(ws, LOCAL, project.id, few)
        done(ws, lifecycle.submit(ws, LOCAL, project.id, warmed))
        first = done(ws, estimate.submit(ws, LOCAL, project.id, few))
        told(ws, guess, first)
        told(ws, None, first)
        second = done(ws, estimate.submit(ws, LOCAL, project.id, more))
        told(ws, None, second)
    finally:
        process.terminate()
        process.wait()


def done(ws, job):
    while not lifecycle.get(ws, LOCAL, job.id).over:
        time.sleep(0.2)
    job = lifecycle.get(ws, LOCAL, job.id)
    assert job.state is State.DONE, job.error
    return job


def told(ws, guess, job):
    """A line: what was said, what it took, and the second over the first, of time and memory."""
    with reading(ws.db) as conn:
        estimated = guess or estimates.of(conn, job.id)
    said, need = estimated.seconds.likely, estimated.memory_needed
    actual, result = job.finished_at - job.started_at, job.result_as(TrainingResult)
    peak = (result.peak_gpu_memory_mb or result.peak_memory_mb) * 2**20
    print(
        f"{'arithmetic' if guess else 'measured':10} "
        f"time {said:.0f} s said, {actual:.0f} s taken, {actual / said:.2f}   "
        f"memory {need / 2**20:.0f} MB said, {peak / 2**20:.0f} MB taken, {peak / need:.2f}",
        flush=True,
    )
