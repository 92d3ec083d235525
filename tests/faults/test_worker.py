"""Worker and child as real processes: ends, cancels, kills, restarts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine import worker as worker_module
from engine.core.actor import LOCAL
from engine.core.errors import Unavailable
from engine.core.job import State
from engine.services.jobs import lifecycle
from engine.store import jobs as store
from engine.worker import Worker
from tests import helpers


def submit(ws, act, note=""):
    from fake_job import Recipe

    return lifecycle.submit(ws, LOCAL, helpers.project(ws).id, Recipe(act=act, note=note))


def over(job):
    return job.over


def said_something(ws, job_id):
    return lambda _: any(e.kind == "metric" for e in lifecycle.watch(ws, LOCAL, job_id))


def test_job_runs_in_its_own_session_and_its_result_is_kept(space, worker, turn_until):
    job = submit(space, "done", note="x; rm -rf $(HOME)\n")
    done = turn_until(worker, job.id, over)
    assert done.state is State.DONE
    assert done.result.model_dump() == {"note": "x; rm -rf $(HOME)\n"}
    pid = int(lifecycle.watch(space, LOCAL, job.id)[2].data["text"].split()[1])
    assert pid != os.getpid()


def test_job_error_is_a_sentence_without_a_traceback(space, worker, turn_until):
    refused = turn_until(worker, submit(space, "refuse").id, over)
    assert (refused.state, refused.error) == (State.FAILED, "The data is too short. Add rows.")
    failed = turn_until(worker, submit(space, "bug").id, over)
    assert failed.state is State.FAILED
    assert "Traceback" not in failed.error
    assert "/nowhere" not in failed.error
    log = space.files / "jobs" / failed.id / "log.txt"
    assert "ZeroDivisionError" in log.read_text()


def test_killed_child_fails_with_the_likely_reason(space, worker, turn_until):
    job = turn_until(worker, submit(space, "die").id, over)
    assert job.state is State.FAILED
    assert "memory" in job.error


def test_cancel_stops_after_the_step_and_ends_as_cancelled(space, worker, turn_until):
    job = submit(space, "sleep")
    turn_until(worker, job.id, said_something(space, job.id))
    lifecycle.cancel(space, LOCAL, job.id)
    assert turn_until(worker, job.id, over).state is State.CANCELLED


def test_queued_job_is_cancelled_at_once(space):
    job = submit(space, "sleep")
    assert lifecycle.cancel(space, LOCAL, job.id).state is State.CANCELLED


def test_child_that_ignores_sigterm_is_killed(space, worker, monkeypatch, turn_until):
    monkeypatch.setattr(worker_module, "TERM_AFTER_S", 0.2)
    monkeypatch.setattr(worker_module, "KILL_AFTER_S", 0.6)
    job = submit(space, "deaf")
    turn_until(worker, job.id, said_something(space, job.id))
    lifecycle.cancel(space, LOCAL, job.id)
    assert turn_until(worker, job.id, over).state is State.CANCELLED


def test_child_without_its_lease_writes_nothing_and_ends(space, worker, turn_until):
    job = submit(space, "sleep")
    turn_until(worker, job.id, said_something(space, job.id))
    child = worker.running[job.id].process
    from engine.store.connect import writing

    with writing(space.db) as conn:
        assert store.requeue(conn, job.id, fence=1)
    assert child.wait(300) == 1
    assert lifecycle.get(space, LOCAL, job.id).state is State.QUEUED


def test_jobs_of_a_worker_that_vanished_start_again_once_and_then_fail(space):
    job = submit(space, "sleep")
    late = time.time()
    for attempt in (1, 2):
        from engine.store.connect import writing

        with writing(space.db) as conn:
            assert store.claim(conn, "compute", f"gone:{attempt}", "gone", late).attempts == attempt
        late += store.JOB_LEASE_S + 1
        sweeper = Worker(space)
        sweeper.leaving = True  # sweep, claim nothing
        sweeper._renewed_at = 0.0
        sweeper.poll(late)
    ended = lifecycle.get(space, LOCAL, job.id)
    assert ended.state is State.FAILED
    assert "worker was lost" in ended.error


def test_run_survives_the_server_and_its_worker_ends_after_it(space):
    """The server is killed; the worker it started finishes the run, takes no other, and leaves."""
    job = submit(space, "sleep")
    waiting = submit(space, "done")
    code = "from engine import worker; from engine.workspace import open_workspace; import time\n"
    code += "print(worker.start(open_workspace()).pid, flush=True); time.sleep(3600)"
    environment = {**os.environ, **space.settings.environment()}
    server = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )
    worker_pid = int(server.stdout.readline())
    wait_for(lambda: said_something(space, job.id)(None))
    server.send_signal(signal.SIGKILL)
    server.wait()
    seen = len(lifecycle.watch(space, LOCAL, job.id))
    wait_for(lambda: len(lifecycle.watch(space, LOCAL, job.id)) > seen)
    lifecycle.cancel(space, LOCAL, job.id)
    wait_for(lambda: lifecycle.get(space, LOCAL, job.id).over)
    wait_for(lambda: not Path(f"/proc/{worker_pid}/cmdline").exists() or zombie(worker_pid))
    assert lifecycle.get(space, LOCAL, waiting.id).state is State.QUEUED


def zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")


def wait_for(ready, seconds=300.0):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_submit_twice_within_two_seconds_is_one_run(space, monkeypatch):
    from fake_job import Recipe

    project, now = helpers.project(space), [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    first = lifecycle.submit(space, LOCAL, project.id, Recipe(note="a"))
    now[0] += 1.9
    assert lifecycle.submit(space, LOCAL, project.id, Recipe(note="a")).id == first.id
    assert lifecycle.submit(space, LOCAL, project.id, Recipe(note="b")).id != first.id
    now[0] += 0.2
    assert lifecycle.submit(space, LOCAL, project.id, Recipe(note="a")).id != first.id


def test_orphaned_worker_gives_up_on_a_lost_database(space, worker, turn_until, monkeypatch):
    job = submit(space, "sleep")
    turn_until(worker, job.id, said_something(space, job.id))
    process = worker.running[job.id].process
    gone = Unavailable("The database can't be reached.", "")
    monkeypatch.setattr(worker, "_renew_leases", lambda _: raised(gone))
    monkeypatch.setattr(worker, "parent_pid", 2**22 + 1)  # no process has such a number
    slept = []
    monkeypatch.setattr(worker, "clock", lambda: sum(slept))
    monkeypatch.setattr(worker_module.time, "sleep", slept.append)
    monkeypatch.setattr(worker_module.signal, "signal", lambda *_: None)
    monkeypatch.setattr(worker, "_attend", lambda _: raised(gone))
    worker.serve()
    assert store.JOB_LEASE_S < sum(slept) < 2 * store.JOB_LEASE_S
    process.wait(300)


def raised(error):
    raise error
