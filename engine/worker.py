"""The supervisor: claims jobs, runs each in a process of its own session, keeps their leases.

It never imports torch. Its id is random for each start, so that a dead worker's jobs are never
taken for a living one's. When the server that started it goes away it takes no new job and ends
after the last one it has.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from sqlalchemy.exc import OperationalError

from engine.core.job import LANES, Job, State
from engine.services import outcomes
from engine.store import events, jobs
from engine.store.connect import reading, writing
from engine.workspace import Workspace

LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 5.0
TERM_AFTER_S = 20.0
KILL_AFTER_S = 40.0
# A thread that spins while it waits takes the core that the web server needs; on a busy machine a
# step took four times as long.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}


class Running(NamedTuple):
    job: Job
    process: subprocess.Popen[bytes]
    log: Path


class Worker:
    """One machine's supervisor; `serve` runs until it is asked to stop."""

    def __init__(self, ws: Workspace, parent_pid: int | None = None) -> None:
        self.ws = ws
        self.host = socket.gethostname()
        self.id = f"{self.host}:{secrets.token_hex(6)}"
        self.parent_pid = parent_pid
        self.running: dict[str, Running] = {}
        self.cancel_seen: dict[str, float] = {}
        self.leaving = False
        self._beaten = 0.0

    def serve(self) -> None:
        """Claim and run jobs until stopped; a database that is away for a while is waited for."""
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)
        while not (self.leaving and not self.running):
            try:
                self.turn(time.time())
            except OperationalError:
                time.sleep(BEAT_EVERY_S)
            time.sleep(LOOK_EVERY_S)
        with writing(self.ws.db) as conn:
            events.gone(conn, self.id)

    def turn(self, now: float) -> None:
        """One look around: beat, sweep lost jobs, reap, cancel, claim."""
        self.leaving = self.leaving or self._orphaned()
        if now - self._beaten > BEAT_EVERY_S:
            self._beaten = now
            self._beat(now)
        for running in list(self.running.values()):
            self._look_after(running, now)
        if not self.leaving:
            for lane in LANES:
                self._claim(lane, now)

    def _beat(self, now: float) -> None:
        with writing(self.ws.db) as conn:
            events.beat(conn, self.id, self.host, os.getpid(), now)
            for running in self.running.values():
                if not jobs.renew(conn, running.job.id, running.job.fence, now):
                    _kill(running.process, signal.SIGKILL)
            lost = jobs.expired(conn, now)
        for job in lost:
            self._lost(job)

    def _lost(self, job: Job) -> None:
        if job.attempts < jobs.MAX_ATTEMPTS and not job.cancel_requested:
            with writing(self.ws.db) as conn:
                if jobs.requeue(conn, job.id, job.fence):
                    text = "The worker was lost; the run starts again."
                    events.add(conn, job.id, [(time.time(), "log", None, {"text": text})])
            return
        state = State.CANCELLED if job.cancel_requested else State.FAILED
        error = "The worker was lost. Look at the machine's memory and disk, then start it again."
        outcomes.end(self.ws, job.id, job.fence, state, error)

    def _claim(self, lane: str, now: float) -> None:
        with writing(self.ws.db) as conn:
            job = jobs.claim(conn, lane, self.id, self.host, now)
            if job:
                events.add(conn, job.id, [(now, "state", None, {"state": State.RUNNING})])
        if job:
            self.running[job.id] = self._start(job)

    def _start(self, job: Job) -> Running:
        folder = self.ws.files / "jobs" / job.id
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "log.txt"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.child", job.id, str(job.fence)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**PATIENT, **os.environ, **self.ws.settings.environment()},
            )
        return Running(job, process, log)

    def _look_after(self, running: Running, now: float) -> None:
        job, process, _ = running
        code = process.poll()
        if code is not None:
            del self.running[job.id]
            self.cancel_seen.pop(job.id, None)
            self._reap(job, code)
            return
        if job.id not in self.cancel_seen:
            with reading(self.ws.db) as conn:
                row = jobs.get(conn, job.id)
            if row is None or not row.cancel_requested:
                return
        asked = self.cancel_seen.setdefault(job.id, now)
        if now - asked > KILL_AFTER_S:
            _kill(process, signal.SIGKILL)
        elif now - asked > TERM_AFTER_S:
            _kill(process, signal.SIGTERM)

    def _reap(self, job: Job, code: int) -> None:
        """End the job when its process died without ending it itself."""
        with reading(self.ws.db) as conn:
            row = jobs.get(conn, job.id)
        cancelled = row is not None and row.cancel_requested
        state = State.CANCELLED if cancelled else State.FAILED
        outcomes.end(self.ws, job.id, job.fence, state, None if cancelled else _died(code))

    def _orphaned(self) -> bool:
        return self.parent_pid is not None and not _alive(self.parent_pid)

    def _leave(self, _signal: int, _frame: FrameType | None) -> None:
        self.leaving = True


def start(ws: Workspace) -> subprocess.Popen[bytes]:
    """A worker beside this process, in a session of its own, that follows it when it goes."""
    log = (ws.settings.home / "worker.log").open("ab")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "engine", "worker", "--follow", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **ws.settings.environment()},
        )


def _died(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "The system ended the run (signal 9), most likely because the memory ran out. "
            "Choose a smaller batch or max_length and start it again."
        )
    return f"The run's process ended unexpectedly (exit {code}). Its log file has the details."


def _kill(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
