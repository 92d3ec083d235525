"""Which workers are alive: a row each, with the time of its last heartbeat."""

from sqlalchemy import Connection, delete, func, insert, select, update

from engine.store.tables import worker


def heartbeat(conn: Connection, worker_id: str, host: str, pid: int, now: float) -> None:
    """Say that a worker is alive."""
    alive = update(worker).where(worker.c.id == worker_id).values(beat_at=now)
    if conn.execute(alive).rowcount == 0:
        row = {"id": worker_id, "host": host, "pid": pid, "started_at": now, "beat_at": now}
        conn.execute(insert(worker).values(row))


def gone(conn: Connection, worker_id: str) -> None:
    """Forget a worker that stopped in good order."""
    conn.execute(delete(worker).where(worker.c.id == worker_id))


def newest_heartbeat(conn: Connection) -> float:
    """When any worker was last heard of; 0.0 for never."""
    return conn.execute(select(func.max(worker.c.beat_at))).scalar() or 0.0
