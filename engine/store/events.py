"""What jobs say: events, append-only and numbered within a job."""

from sqlalchemy import Connection, func, insert, select

from engine.core.event import Event, EventData, StoredEvent, read_event
from engine.store.json_columns import loaded, to_json
from engine.store.tables import event

EventRow = tuple[float, str, int | None, EventData]  # at, kind, step, data


def add(conn: Connection, job_id: str, rows: list[EventRow]) -> None:
    """Append events in their order."""
    if not rows:
        return
    newest = select(func.max(event.c.seq)).where(event.c.job_id == job_id)
    first = (conn.execute(newest).scalar() or 0) + 1
    values = [
        {
            "job_id": job_id,
            "seq": first + i,
            "at": at,
            "kind": kind,
            "step": step,
            "data": to_json(data),
        }
        for i, (at, kind, step, data) in enumerate(rows)
    ]
    conn.execute(insert(event), values)


def after(conn: Connection, job_id: str, seq: int, most: int | None = None) -> list[Event]:
    """Events with a higher number than `seq`, in order: the first `most` of them."""
    query = select(event).where(event.c.job_id == job_id, event.c.seq > seq).order_by(event.c.seq)
    query = query if most is None else query.limit(most)
    return [read_event(loaded(row, "data")) for row in conn.execute(query).mappings()]


def stored_after(conn: Connection, job_id: str, seq: int, most: int) -> list[StoredEvent]:
    """The first `most` events with a higher number than `seq`, in order, their data not read."""
    columns = [event.c[name] for name in StoredEvent._fields]
    query = select(*columns).where(event.c.job_id == job_id, event.c.seq > seq)
    rows = conn.execute(query.order_by(event.c.seq).limit(most)).all()  # not one by one: it is slow
    return [StoredEvent._make(row) for row in rows]


def newest(conn: Connection, job_id: str, kind: str, number: int) -> list[Event]:
    """The last events of a kind, the newest first."""
    query = select(event).where(event.c.job_id == job_id, event.c.kind == kind)
    rows = conn.execute(query.order_by(event.c.seq.desc()).limit(number)).mappings()
    return [read_event(loaded(row, "data")) for row in rows]


def of_kinds(conn: Connection, job_id: str, *kinds: str) -> list[Event]:
    """All events of the given kinds, in order."""
    query = select(event).where(event.c.job_id == job_id, event.c.kind.in_(kinds))
    rows = conn.execute(query.order_by(event.c.seq)).mappings()
    return [read_event(loaded(row, "data")) for row in rows]
