"""Whether a running job gets on with its work, or only looks alive."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

from engine.core.job import Job
from engine.services.jobs import lifecycle
from engine.store import events
from engine.store.connect import reading
from engine.workspace import Workspace

FILE = "alive"  # in the job's folder: the child touches it as long as its work gets on
LOADING_S = 900.0  # before its first progress, and in jobs whose steps nobody counts
STEPPING_S = 120.0
STEPS = 10  # a step may take this many times what one usually takes
NEWEST_STEPS = 20


class Heartbeat:
    """Seconds since the file last changed, by a clock that nobody can set."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = folder / FILE
        self._clock = clock
        self._touched = self._at_first = self._changed()
        self._seen = clock()

    def has_begun(self) -> bool:
        """Whether it changed since this was made."""
        return self._changed() != self._at_first

    def silent_s(self) -> float:
        """How long nothing was heard."""
        touched = self._changed()
        if touched != self._touched:
            self._touched, self._seen = touched, self._clock()
        return self._clock() - self._seen

    def _changed(self) -> int:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0


def patience_s(ws: Workspace, job: Job) -> float:
    """How long this job may be silent: ten of its usual steps, and 120 s at least."""
    if not lifecycle.trains(job.kind):
        return LOADING_S
    with reading(ws.db) as conn:
        progress = events.newest(conn, job.id, "progress", NEWEST_STEPS)
    times = [event.at for event in progress if event.at >= (job.started_at or 0.0)]
    between = [abs(later - sooner) for later, sooner in pairwise(times)]
    return max(STEPPING_S, STEPS * median(between)) if between else LOADING_S
