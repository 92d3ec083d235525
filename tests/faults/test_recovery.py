"""Runs that survive: killed, hung, orphaned, cancelled at every phase, finished while cancelled."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine import worker as worker_module
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden
from engine.core.job import State
from engine.core.job_outcome import NewModel, Outcome
from engine.methods import checkpoint
from engine.services import job_outcomes
from engine.services.jobs import enqueue, heartbeat, lifecycle, retention
from engine.store import jobs as store
from engine.store import models
from engine.store.connect import reading, writing
from engine.worker import Worker
from tests import helpers

STEPS = 40
SUM = sum(range(1, STEPS + 1))


def over(job):
    return job.over


def steps_of(ws, job_id):
    said = lifecycle.current(lifecycle.watch(ws, LOCAL, job_id))
    return [event.step for event in said if event.kind == "metric"]


def reached(ws, job_id, step):
    return lambda _: max(steps_of(ws, job_id), default=0) >= step


def said(ws, job_id):
    return [e.data["text"] for e in lifecycle.watch(ws, LOCAL, job_id) if e.kind == "log"]


def checkpoints(ws, job):
    return ws.files / "jobs" / job.id / checkpoint.FOLDER


@pytest.mark.parametrize("seed", range(3))
def test_killed_child_resumes_from_its_checkpoint_without_a_repeated_step(
    seed, space, worker, train, turn_until
):
    # it is killed anywhere, but cannot end before: the first attempt stands still at the last step
    job = train(steps=STEPS, stuck_at=STEPS, step_s=0.05)
    turn_until(worker, job.id, reached(space, job.id, random.Random(seed).randint(3, 25)))
    worker.running[job.id].process.kill()
    done = turn_until(worker, job.id, over)
    assert (done.state, done.attempts) == (State.DONE, 2)
    assert done.result.sum == SUM
    assert done.result.began_at >= 2
    assert steps_of(space, job.id) == list(range(1, STEPS + 1))
    turn_until(worker, job.id, lambda _: not worker.running)  # they go after the result is kept
    assert not checkpoints(space, job).exists()


def test_child_killed_twice_fails_and_is_resumed_by_hand(
    space, worker, train, turn_until, tmp_path, monkeypatch
):
    monkeypatch.setattr(enqueue, "DOUBLE_CLICK_S", 600.0)
    job = train(steps=200, stuck_at=200, gate=str(tmp_path / "gate"))
    for step in (4, 10):
        turn_until(worker, job.id, reached(space, job.id, step))
        worker.running[job.id].process.kill()
        turn_until(worker, job.id, lambda j: j.over or j.attempts == 2)
    failed = turn_until(worker, job.id, over)
    assert failed.state is State.FAILED
    assert "signal 9" in failed.error
    with writing(space.db) as conn:
        conn.execute(store.job.update().values(tags='["best try"]'))

    (tmp_path / "gate").touch()
    again = lifecycle.resume(space, LOCAL, job.id)
    assert lifecycle.resume(space, LOCAL, job.id).id == again.id  # a double click
    assert again.id != job.id
    assert (again.recipe, again.tags) == (job.recipe, ("best try",))
    assert "Goes on from step" in again.note
    done = turn_until(worker, again.id, over)
    assert (done.state, done.result.sum) == (State.DONE, sum(range(1, 201)))
    assert done.result.began_at >= 4
    assert steps_of(space, again.id) == list(range(1, 201))
    assert checkpoint.newest_verified(checkpoints(space, job))  # lent, not taken


def test_resume_needs_a_run_that_failed_or_was_stopped(space, train):
    job = train()
    with pytest.raises(Conflict, match="Only a run that failed"):
        lifecycle.resume(space, LOCAL, job.id)
    lifecycle.cancel(space, LOCAL, job.id)
    with pytest.raises(Conflict, match="left no checkpoint"):
        lifecycle.resume(space, LOCAL, job.id)


def test_rater_may_neither_resume_nor_stop_and_keep(space, train):
    job = train()
    rater = Actor(name="r", role=Role.RATER)
    for service in (lifecycle.resume, lifecycle.stop_and_keep):
        with pytest.raises(Forbidden):
            service(space, rater, job.id)


def test_stop_and_keep_ends_as_done_with_what_was_reached(space, worker, train, turn_until):
    job = train(steps=100_000)
    with pytest.raises(Conflict, match="has not begun"):
        lifecycle.stop_and_keep(space, LOCAL, job.id)
    turn_until(worker, job.id, reached(space, job.id, 5))
    assert lifecycle.stop_and_keep(space, LOCAL, job.id).keep_requested
    done = turn_until(worker, job.id, over)
    assert done.state is State.DONE
    stopped = done.result.stopped_at
    assert 5 <= stopped < 100_000
    assert done.result.sum == sum(range(1, stopped + 1))
    with pytest.raises(Conflict, match="is over"):
        lifecycle.stop_and_keep(space, LOCAL, job.id)


def test_stop_and_keep_needs_a_training(space):
    from fake_job import Recipe

    job = lifecycle.submit(space, LOCAL, helpers.project(space).id, Recipe(act="sleep"))
    with pytest.raises(Conflict, match="trains no model"):
        lifecycle.stop_and_keep(space, LOCAL, job.id)


def test_stop_and_keep_is_taken_back_by_a_plain_stop(space, train):
    job = train()
    helpers.claimed(space, job.id)
    lifecycle.stop_and_keep(space, LOCAL, job.id)
    asked = lifecycle.cancel(space, LOCAL, job.id)
    assert (asked.cancel_requested, asked.keep_requested) == (True, False)


@pytest.mark.parametrize(
    ("phase", "values"),
    [
        ("loading", {"loading_s": 3600.0}),
        ("step", {"step_s": 3600.0}),
        ("many steps", {"steps": 100_000}),
        ("checkpoint", {"saving_s": 3600.0}),
    ],
)
def test_cancel_ends_every_phase_within_ten_seconds(phase, values, space, train, turn_until):
    """By the worker's clock, which stands still until the test sets it forward."""
    now = [0.0]
    worker = Worker(space, clock=lambda: now[0])
    job = train(**values)
    turn_until(worker, job.id, lambda _: said(space, job.id))
    if phase == "checkpoint":
        turn_until(worker, job.id, lambda _: list(checkpoints(space, job).glob("*tmp*")))
    pid = worker.running[job.id].process.pid
    lifecycle.cancel(space, LOCAL, job.id)
    if phase != "many steps":  # that one hears by itself, within a second
        worker.poll(time.time())
        now[0] = 10.0 - worker_module.POLL_EVERY_S
        worker.poll(time.time())
    assert turn_until(worker, job.id, over).state is State.CANCELLED
    turn_until(worker, job.id, lambda _: not alive(pid))


def test_cancelled_run_keeps_its_checkpoint_for_two_weeks(space, worker, train, turn_until):
    job = train(steps=100_000)
    turn_until(worker, job.id, reached(space, job.id, 4))
    lifecycle.cancel(space, LOCAL, job.id)
    ended = turn_until(worker, job.id, over)
    folder = checkpoints(space, job)
    assert checkpoint.newest_verified(folder).step >= 4
    assert retention.sweep_checkpoints(space, ended.finished_at + 13 * 86400) == 0
    assert retention.sweep_checkpoints(space, ended.finished_at + 15 * 86400) == 1
    assert not folder.exists()


def test_checkpoints_of_a_run_under_way_are_never_swept(space, train):
    job = train()
    checkpoints(space, job).mkdir(parents=True)
    assert retention.sweep_checkpoints(space, time.time() + 365 * 86400) == 0


def test_stalled_run_is_ended_and_resumed_once(space, train, turn_until):
    """The worker's clock jumps over the wait; the child really stands still."""
    ahead = [0.0]
    worker = Worker(space, clock=lambda: ahead[0])
    job = train(steps=STEPS, stuck_at=7, step_s=0.2)
    turn_until(worker, job.id, lambda _: checkpoint.at(checkpoints(space, job), 6))
    stuck = space.files / "jobs" / job.id / "stuck"
    turn_until(worker, job.id, lambda _: stuck.exists())  # from here on it gives no sign of life
    worker.poll(time.time())
    ahead[0] = heartbeat.STEPPING_S - 10  # not yet
    worker.poll(time.time())
    assert worker.running[job.id].process.poll() is None
    ahead[0] = heartbeat.STEPPING_S + 5
    done = turn_until(worker, job.id, over)
    assert (done.state, done.attempts, done.result.sum) == (State.DONE, 2, SUM)
    assert any("made no progress" in text for text in said(space, job.id))


def test_stopped_process_counts_as_stalled(space, train, turn_until):
    ahead = [0.0]
    worker = Worker(space, clock=lambda: ahead[0])
    job = train(steps=100_000)
    turn_until(worker, job.id, reached(space, job.id, 6))
    process = worker.running[job.id].process
    os.kill(process.pid, signal.SIGSTOP)
    turn_until(worker, job.id, lambda _: state(process.pid) == "T")
    worker.poll(time.time())
    ahead[0] = heartbeat.STEPPING_S + 5
    worker.poll(time.time())
    assert process.wait(300) == -signal.SIGKILL
    turn_until(worker, job.id, lambda j: j.attempts == 2)
    worker.running[job.id].process.kill()


def test_patience_is_ten_usual_steps_and_longer_while_a_model_loads(space, train):
    from engine.store import events

    job = train()
    job = helpers.claimed(space, job.id)
    assert heartbeat.patience_s(space, job) == heartbeat.LOADING_S
    times = [job.started_at + 30.0 * n for n in range(5)]
    times[2] += 3600  # the time of day was set forward and back
    with writing(space.db) as conn:
        events.add(conn, job.id, [(at, "progress", n, {"done": n}) for n, at in enumerate(times)])
    assert heartbeat.patience_s(space, job) > 300 - 1
    with writing(space.db) as conn:
        later = [(times[-1] + 0.1 * n, "progress", n, {"done": n}) for n in range(1, 20)]
        events.add(conn, job.id, later)
    assert heartbeat.patience_s(space, job) == heartbeat.STEPPING_S


def test_run_leaves_no_process_behind_its_worker(space, train):
    job = train(steps=100_000)
    code = (
        "from engine.worker import Worker\n"
        "from engine.workspace import open_workspace\n"
        "Worker(open_workspace()).serve()"
    )
    environment = {**os.environ, **space.settings.environment()}
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    wait_for(lambda: steps_of(space, job.id))
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert children
    worker.kill()
    worker.wait()
    wait_for(lambda: not any(map(alive, children)))  # they would train for half an hour

    # and the next worker takes the run up where it was
    late = time.time() + store.JOB_LEASE_S + 1
    sweeper = Worker(space)
    sweeper.poll(late)
    assert lifecycle.get(space, LOCAL, job.id).attempts == 2
    for running in sweeper.running.values():
        running.process.kill()


def wait_for(ready, seconds=300.0):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def state(pid):
    """The letter of the process's state, Z when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def alive(pid):
    return state(pid) != "Z"


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        ("hungry", "The memory ran out. Choose a smaller batch"),
        ("full disk", "The disk is full. Free some space"),
    ],
)
def test_job_without_memory_or_disk_fails_with_a_next_step(
    act, sentence, space, worker, turn_until
):
    from fake_job import Recipe

    job = lifecycle.submit(space, LOCAL, helpers.project(space).id, Recipe(act=act))
    failed = turn_until(worker, job.id, over)
    assert failed.state is State.FAILED
    assert sentence in failed.error


def test_claim_gives_a_job_to_one_of_four_workers(space):
    from fake_job import Recipe

    project = helpers.project(space).id
    ids = [lifecycle.submit(space, LOCAL, project, Recipe(note=str(n))).id for n in range(40)]
    taken, lock = [], threading.Lock()

    def claim(number):
        host = f"host{number}"
        while True:
            with writing(space.db) as conn:
                job = store.claim(conn, "compute", f"{host}:w", host, time.time())
                if job is None:
                    return
                store.finish(conn, job.id, job.fence, State.DONE, time.time())
            with lock:
                taken.append(job.id)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def test_worker_with_an_old_fence_stores_no_model(space, train):
    job = helpers.claimed(space, train().id)
    with writing(space.db) as conn:
        assert store.requeue(conn, job.id, job.fence)
    base = helpers.model(space, space.files)
    made = NewModel(name="late", path="adapter", base_id=base.id, parent_id=None, dataset_id="d")
    assert job_outcomes.store(space, job, Outcome(model=made)) is State.FAILED
    assert not job_outcomes.end(space, job.id, job.fence, State.FAILED, "late")
    with reading(space.db) as conn:
        assert [m.name for m in models.list_all(conn, job.project_id)] == ["base"]
    assert lifecycle.get(space, LOCAL, job.id).state is State.QUEUED


def test_cancel_that_races_the_end_leaves_one_end(space):
    from fake_job import Recipe

    project = helpers.project(space).id
    rng = random.Random(7)
    for number in range(60):
        job = lifecycle.submit(space, LOCAL, project, Recipe(note=str(number)))
        job = helpers.claimed(space, job.id)

        def cancel(job=job):
            try:
                lifecycle.cancel(space, LOCAL, job.id)
            except Conflict:
                return  # it was over first

        moves = [
            cancel,
            lambda job=job: job_outcomes.store(space, job, Outcome()),
            lambda job=job: job_outcomes.end(space, job.id, job.fence, State.CANCELLED),
        ]
        rng.shuffle(moves)
        threads = [threading.Thread(target=move) for move in moves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ends = [
            event.data["state"]
            for event in lifecycle.watch(space, LOCAL, job.id)
            if event.kind == "state" and event.data["state"] in (State.DONE, State.CANCELLED)
        ]
        assert ends == [lifecycle.get(space, LOCAL, job.id).state]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_clock_jump_of_an_hour_costs_no_run(jump, space, worker, train, turn_until, tmp_path):
    job = train(steps=STEPS, stuck_at=STEPS, step_s=0.05, gate=str(tmp_path / "gate"))
    turn_until(worker, job.id, reached(space, job.id, 3))
    for _ in range(3):
        worker.poll(time.time() + jump)
        time.sleep(0.05)
    with reading(space.db) as conn:
        assert abs(store.get(conn, job.id).lease_until - time.time() - jump) < 600
    (tmp_path / "gate").touch()
    done = turn_until(worker, job.id, over)
    assert (done.state, done.attempts) == (State.DONE, 1)
