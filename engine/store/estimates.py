"""What was said of a run before it started, kept as its event; and finished runs to learn from."""

from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, and_, select

from engine.core.job import Job, State
from engine.core.training_estimate import Preflight
from engine.store import events
from engine.store.json_columns import loaded
from engine.store.tables import event, job, model

KIND = "estimate"
JSON = ("recipe", "result", "tags")


class Finished(NamedTuple):
    """A job that is done, with its estimate where one was made."""

    job: Job
    estimate: Preflight | None


def add(conn: Connection, job_id: str, now: float, estimate: Preflight) -> None:
    """Keep the estimate of a job; one that is there already stays.

    The job's row is locked: its process numbers events at the same time.
    """
    conn.execute(select(job.c.id).where(job.c.id == job_id).with_for_update())
    if of(conn, job_id) is None:
        events.add(conn, job_id, [(now, KIND, None, estimate)])


def of(conn: Connection, job_id: str) -> Preflight | None:
    """The estimate of a job; None where none was made."""
    query = select(event.c.data).where(event.c.job_id == job_id, event.c.kind == KIND).limit(1)
    stored = conn.execute(query).scalar()
    return Preflight.model_validate_json(stored) if stored else None


def finished(conn: Connection, kinds: tuple[str, ...], most: int) -> list[Finished]:
    """The newest jobs of these kinds that are done, of the whole workspace, newest first."""
    columns = [column for column in job.c if column.name != "recipe_sha256"]
    of_estimate = and_(event.c.job_id == job.c.id, event.c.kind == KIND)
    query = (
        select(*columns, event.c.data.label("estimate"))
        .select_from(job.outerjoin(event, of_estimate))
        .where(job.c.kind.in_(kinds), job.c.state == State.DONE)
        .order_by(job.c.finished_at.desc())
        .limit(most)
    )
    return [_finished(row) for row in conn.execute(query).mappings()]


def bases(conn: Connection) -> dict[str, str]:
    """Of every model, the id of the one whose weights it runs on."""
    query = select(model.c.id, model.c.base_id, model.c.kind)
    return {
        row.id: row.base_id if row.kind in ("adapter", "reward") and row.base_id else row.id
        for row in conn.execute(query)
    }


def _finished(row: RowMapping) -> Finished:
    stored = row["estimate"]
    estimate = Preflight.model_validate_json(stored) if stored else None
    return Finished(Job.model_validate(loaded(row, *JSON)), estimate)
