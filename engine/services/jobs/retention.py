"""How long files are kept that nobody asked to keep."""

from engine.core.job import Job, State
from engine.methods import checkpoint
from engine.store import jobs
from engine.store.connect import reading
from engine.workspace import Workspace

RETENTION_S = 14 * 24 * 3600.0  # a run that failed or was stopped can go on for two weeks


def sweep_checkpoints(ws: Workspace, now: float) -> int:
    """Remove the checkpoints of runs that are done, or were over two weeks ago; how many runs."""
    swept = 0
    for folder in (ws.files / "jobs").glob(f"*/{checkpoint.FOLDER}"):
        with reading(ws.db) as conn:
            job = jobs.get(conn, folder.parent.name)
        if job is None or _expired(job, now):
            checkpoint.clear(folder)
            swept += 1
    return swept


def _expired(job: Job, now: float) -> bool:
    if job.state is State.DONE:
        return True
    return job.over and (job.finished_at or now) < now - RETENTION_S
