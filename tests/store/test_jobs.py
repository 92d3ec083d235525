"""The queue: claims, leases, fences."""

import time
from concurrent.futures import ThreadPoolExecutor

from engine.core import ids
from engine.core.job import Job, State
from engine.store import events, jobs
from engine.store.connect import reading, writing
from tests import helpers


def queued(ws, project_id, lane="compute"):
    job = Job(
        id=ids.new("job"), project_id=project_id, kind="x", lane=lane, name="x", recipe={},
        state=State.QUEUED, owner="me", created_at=time.time(),
    )  # fmt: skip
    with writing(ws.db) as conn:
        jobs.add(conn, job, "sha")
    return job


def test_claim_never_gives_a_job_to_two_workers(ws):
    project = helpers.project(ws)
    made = [queued(ws, project.id).id for _ in range(24)]

    def claim(n):
        host = f"host{n}"  # a host runs one compute job at a time
        with writing(ws.db) as conn:
            job = jobs.claim(conn, "compute", f"{host}:w", host, time.time())
        return job.id if job else None

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(claim, range(30)))
    assert sorted(t for t in taken if t) == sorted(made)


def test_host_runs_one_training_at_a_time(ws):
    project = helpers.project(ws)
    first, second = queued(ws, project.id), queued(ws, project.id)
    with writing(ws.db) as conn:
        assert jobs.claim(conn, "compute", "h:a", "h", time.time()).id == first.id
        assert jobs.claim(conn, "compute", "h:b", "h", time.time()) is None
        assert jobs.ahead(conn, second) == 1


def test_write_with_an_old_fence_changes_nothing(ws):
    project = helpers.project(ws)
    job = queued(ws, project.id)
    with writing(ws.db) as conn:
        old = jobs.claim(conn, "compute", "h:a", "h", now=1000.0)
    later = 1000.0 + jobs.JOB_LEASE_S + 1
    with writing(ws.db) as conn:
        assert [j.id for j in jobs.expired(conn, later)] == [job.id]
        assert jobs.requeue(conn, job.id, old.fence)
        new = jobs.claim(conn, "compute", "h:b", "h", later)
    with writing(ws.db) as conn:
        assert not jobs.renew_lease(conn, job.id, old.fence, later)
        assert not jobs.holds(conn, job.id, old.fence)
        assert not jobs.finish(conn, job.id, old.fence, State.DONE, later)
        assert jobs.finish(conn, job.id, new.fence, State.DONE, later)


def test_job_ends_once(ws):
    job = queued(ws, helpers.project(ws).id)
    with writing(ws.db) as conn:
        jobs.claim(conn, "compute", "h:a", "h", time.time())

    def end(state):
        with writing(ws.db) as conn:
            return jobs.finish(conn, job.id, 1, state, time.time())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(end, [State.DONE, State.CANCELLED, State.FAILED] * 4))
    assert sum(won) == 1


def test_events_are_numbered_without_gaps(ws):
    job = queued(ws, helpers.project(ws).id)
    with writing(ws.db) as conn:
        events.add(
            conn, job.id, [(1.0, "log", None, {"text": "a"}), (2.0, "metric", 3, {"l": 0.5})]
        )
        events.add(conn, job.id, [(3.0, "log", None, {"text": "b"})])
    with reading(ws.db) as conn:
        found = events.after(conn, job.id, 1)
    assert [(e.seq, e.kind, e.step) for e in found] == [(2, "metric", 3), (3, "log", None)]
