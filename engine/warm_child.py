"""The warm child: a process that has answered keeps its model loaded for the next question.

While it waits it is nobody's: no lease is renewed for it and no heartbeat is watched. It costs its
memory, so it goes when its time is over or something else wants that.
"""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

from engine.core.job import Job

LANE = "play"
STAY_S = 240.0
LEAVE_S = 2.0  # to take a model down; it has nothing to lose

Child = subprocess.Popen[bytes]


class WarmChild:
    """The one child that waits for its next job, or none."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._child: Child | None = None
        self._since = 0.0

    def put(self, child: Child) -> None:
        """Keep a child that has ended its job; one that waited already goes."""
        self.end()
        self._child, self._since = child, self._clock()

    def take(self, job: Job) -> Child | None:
        """The child, which has been told of `job`; None when there is none, or it does not hear."""
        child = self._child
        if child is None or child.stdin is None or child.poll() is not None:
            return None
        try:
            child.stdin.write(f"{job.id} {job.fence}\n".encode())
        except OSError:
            return None
        self._child = None
        return child

    def check(self) -> None:
        """Forget a child that has died, and end one that has waited for long enough."""
        if self._child is None:
            return
        if self._child.poll() is not None or self._clock() - self._since > STAY_S:
            self.end()

    def end(self) -> None:
        """Let the child go, and return once its memory is free."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):  # the system has not let go of it yet
                child.wait(LEAVE_S)
