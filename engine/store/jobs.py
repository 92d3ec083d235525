"""Jobs and their queue. A job is claimed with a lease and a fence; later writes name the fence.

A worker that was thought dead and comes back holds an old fence: its writes change no row. What
still needs a job, and its removal: job_removal.py.
"""

from typing import TypedDict, Unpack

from sqlalchemy import Connection, Select, and_, func, insert, or_, select, update

from engine.core.job import LANES, Job, State
from engine.store.json_columns import dumped, loaded, to_json
from engine.store.tables import job

JOB_LEASE_S = 60.0
MAX_ATTEMPTS = 2
JSON = ("recipe", "result", "tags")
_COLUMNS = [column for column in job.c if column.name != "recipe_sha256"]


def _jobs(conn: Connection, query: Select[tuple[object, ...]]) -> list[Job]:
    return [Job.model_validate(loaded(row, *JSON)) for row in conn.execute(query).mappings()]


def add(conn: Connection, new: Job, recipe_sha256: str) -> None:
    """Queue a job."""
    values = dumped(new.model_dump(mode="json"), *JSON)
    conn.execute(insert(job).values({**values, "recipe_sha256": recipe_sha256}))


def get(conn: Connection, job_id: str) -> Job | None:
    """The job, or None."""
    found = _jobs(conn, select(*_COLUMNS).where(job.c.id == job_id))
    return found[0] if found else None


def list_all(conn: Connection, project_id: str) -> list[Job]:
    """Newest first."""
    query = select(*_COLUMNS).where(job.c.project_id == project_id)
    return _jobs(conn, query.order_by(job.c.created_at.desc(), job.c.id.desc()))


class JobDescription(TypedDict, total=False):
    """What a person writes about a job; a field that is left out stays as it is."""

    name: str
    note: str
    tags: list[str]


def describe(conn: Connection, job_id: str, **words: Unpack[JobDescription]) -> None:
    """Change a job's name, note or tags."""
    values: dict[str, object] = {**words}
    if "tags" in words:
        values["tags"] = to_json(words["tags"])
    conn.execute(update(job).where(job.c.id == job_id).values(values))


def unfinished(conn: Connection) -> list[Job]:
    """All jobs that run or wait: those that run first, then in the order of the queue."""
    query = select(*_COLUMNS).where(job.c.state.in_([State.QUEUED, State.RUNNING]))
    waiting = _jobs(conn, query.order_by(job.c.created_at, job.c.id))
    return sorted(waiting, key=lambda each: each.state is State.QUEUED)


def twin(conn: Connection, project_id: str, recipe_sha256: str, since: float) -> Job | None:
    """An unfinished job with the same recipe, queued after `since`: a double click."""
    query = select(*_COLUMNS).where(
        job.c.project_id == project_id,
        job.c.recipe_sha256 == recipe_sha256,
        job.c.created_at >= since,
        job.c.state.in_([State.QUEUED, State.RUNNING]),
    )
    found = _jobs(conn, query)
    return found[0] if found else None


def going_in(conn: Connection) -> list[str]:
    """The ids of the projects in which a job runs or waits."""
    live = job.c.state.in_([State.QUEUED, State.RUNNING])
    return list(conn.execute(select(job.c.project_id).where(live).distinct()).scalars())


def ahead(conn: Connection, one: Job) -> int:
    """How many jobs of the lane run or wait before this queued one."""
    query = select(func.count()).where(
        job.c.lane == one.lane,
        or_(
            job.c.state == State.RUNNING,
            and_(job.c.state == State.QUEUED, job.c.created_at < one.created_at),
        ),
    )
    return conn.execute(query).scalar_one()


def waiting_lanes(conn: Connection) -> set[str]:
    """The lanes in which a job is queued."""
    query = select(job.c.lane).where(job.c.state == State.QUEUED).distinct()
    return set(conn.execute(query).scalars())


def claim(conn: Connection, lane: str, worker: str, host: str, now: float) -> Job | None:
    """Lease the oldest queued job of `lane`; None when there is none or the host's lane is full.

    One statement takes the row, so two workers cannot take the same job: SQLite has a single
    writer, and PostgreSQL skips rows that another worker has locked.
    """
    busy = select(func.count()).where(
        job.c.lane == lane,
        job.c.state == State.RUNNING,
        job.c.worker.like(f"{host}:%"),
        job.c.lease_until > now,
    )
    if conn.execute(busy).scalar_one() >= LANES[lane]:
        return None
    oldest = (
        select(job.c.id)
        .where(job.c.state == State.QUEUED, job.c.lane == lane)
        .order_by(job.c.created_at, job.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    query = (
        update(job)
        .where(job.c.id == oldest.scalar_subquery())
        .values(
            state=State.RUNNING,
            worker=worker,
            fence=job.c.fence + 1,
            attempts=job.c.attempts + 1,
            lease_until=now + JOB_LEASE_S,
            started_at=now,
        )
        .returning(*_COLUMNS)
    )
    row = conn.execute(query).mappings().one_or_none()
    return Job.model_validate(loaded(row, *JSON)) if row else None


def renew_lease(conn: Connection, job_id: str, fence: int, now: float) -> bool:
    """Lengthen the lease; False when the job is no longer this fence's."""
    query = (
        update(job)
        .where(job.c.id == job_id, job.c.fence == fence, job.c.state == State.RUNNING)
        .values(lease_until=now + JOB_LEASE_S)
    )
    return conn.execute(query).rowcount == 1


def holds(conn: Connection, job_id: str, fence: int) -> bool:
    """Whether the job still runs under this fence; locks the row for the transaction."""
    query = select(job.c.id).where(
        job.c.id == job_id, job.c.fence == fence, job.c.state == State.RUNNING
    )
    return conn.execute(query.with_for_update()).one_or_none() is not None


def finish(
    conn: Connection,
    job_id: str,
    fence: int,
    state: State,
    now: float,
    *,
    result: str = "{}",
    error: str | None = None,
) -> bool:
    """Move a running job of this fence to a terminal state; False when it is another's by now."""
    query = (
        update(job)
        .where(job.c.id == job_id, job.c.fence == fence, job.c.state == State.RUNNING)
        .values(state=state, result=result, error=error, finished_at=now, lease_until=None)
    )
    return conn.execute(query).rowcount == 1


def cancel_queued(conn: Connection, job_id: str, now: float) -> bool:
    """Cancel a job that nobody has taken yet; False when it is not queued."""
    query = (
        update(job)
        .where(job.c.id == job_id, job.c.state == State.QUEUED)
        .values(state=State.CANCELLED, finished_at=now, cancel_requested=True)
    )
    return conn.execute(query).rowcount == 1


def ask_to_cancel(conn: Connection, job_id: str) -> None:
    """Leave word for the worker that runs it; a wish to keep what was reached is taken back."""
    values = {"cancel_requested": True, "keep_requested": False}
    conn.execute(update(job).where(job.c.id == job_id).values(values))


def request_stop_and_keep(conn: Connection, job_id: str) -> bool:
    """Leave word to stop with what was reached so far; False when the job does not run."""
    query = update(job).where(job.c.id == job_id, job.c.state == State.RUNNING)
    return conn.execute(query.values(cancel_requested=True, keep_requested=True)).rowcount == 1


def expired(conn: Connection, now: float) -> list[Job]:
    """Running jobs whose lease has run out; a missing lease counts from the start."""
    lease = func.coalesce(job.c.lease_until, job.c.started_at + JOB_LEASE_S, 0.0)
    return _jobs(conn, select(*_COLUMNS).where(job.c.state == State.RUNNING, lease < now))


def requeue(conn: Connection, job_id: str, fence: int) -> bool:
    """Put a lost job back into the queue under a new fence."""
    query = (
        update(job)
        .where(job.c.id == job_id, job.c.fence == fence, job.c.state == State.RUNNING)
        .values(state=State.QUEUED, worker=None, lease_until=None, fence=fence + 1)
    )
    return conn.execute(query).rowcount == 1
