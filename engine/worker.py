"""The worker: claims jobs, runs each in a process, keeps leases, requeues what a dead one lost.

It never imports torch. Its id is random for each start, so that a dead worker's jobs are never
taken for a living one's. When the server that started it goes away it takes no new job and ends
after the last one it has.
"""

import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NamedTuple

from engine import warm_child
from engine.core import child_environment
from engine.core.errors import Unavailable
from engine.core.job import LANES, Job, State
from engine.files import drop_oldest
from engine.methods import checkpoint
from engine.services import job_outcomes
from engine.services.data import staging
from engine.services.jobs import lifecycle, logs, retention
from engine.services.jobs.heartbeat import STEPPING_S, Heartbeat, patience_s
from engine.services.models import bases
from engine.services.people import visitor_projects, visitors
from engine.store import events, jobs, workers
from engine.store.connect import reading, writing
from engine.workspace import Workspace, in_space

POLL_EVERY_S = 0.5
REST_EVERY_S = 1.0  # while nothing runs
HEARTBEAT_EVERY_S = 5.0
TERM_AFTER_S = 5.0
KILL_AFTER_S = 9.0  # a step that takes longer is lost; the last checkpoint is not
SWEEP_AFTER_S = 900.0  # to measure and save what is to be kept
SWEEP_EVERY_S = 3600.0
UPLOADS_KEPT_S = 24 * 3600.0
# A thread that spins while it waits takes the core that the web server needs; on a busy machine a
# step took four times as long.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}

STOOD_STILL = (
    "The run made no progress twice and was stopped. Its log file has the details; check the "
    "machine's disk and graphics card, then start it again."
)


class Running(NamedTuple):
    """`handed`: the process had run another job before, and was told of this one."""

    job: Job
    process: subprocess.Popen[bytes]
    heartbeat: Heartbeat
    handed: bool = False


class Worker:
    """One machine's supervisor; `serve` runs until it is asked to stop.

    `clock` measures how long things take; the time of day, which can jump, is for leases only.
    """

    def __init__(
        self,
        ws: Workspace,
        parent_pid: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ws = ws
        self.clock = clock
        self.host = socket.gethostname()
        self.id = f"{self.host}:{secrets.token_hex(6)}"
        self.parent_pid = parent_pid
        self.running: dict[str, Running] = {}
        self.warm = warm_child.WarmChild(clock)
        self.cancel_seen: dict[str, float] = {}
        self.hung: set[str] = set()
        self.leaving = False
        self.in_space = in_space()
        self._renewed_at = 0.0
        self._swept = clock() - SWEEP_EVERY_S

    def serve(self) -> None:
        """Claim and run jobs until stopped; a database that is away for a while is waited for."""
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)
        reached = self.clock()
        while not (self.leaving and not self.running):
            try:
                self.poll(time.time())
                reached = self.clock()
            except Unavailable:
                # nobody waits for it, and its leases have run out: another worker may have its jobs
                if self.leaving and self.clock() - reached > jobs.JOB_LEASE_S:
                    break
                time.sleep(HEARTBEAT_EVERY_S)
            time.sleep(POLL_EVERY_S if self.running else REST_EVERY_S)
        self._go()

    def _go(self) -> None:
        """End what runs still, and be forgotten."""
        for running in self.running.values():
            _kill(running.process, signal.SIGKILL)
        self.warm.end()
        with suppress(Unavailable), writing(self.ws.db) as conn:
            workers.gone(conn, self.id)

    def poll(self, now: float) -> None:
        """One look around: renew leases, sweep lost jobs, reap, cancel, claim."""
        self.leaving = self.leaving or self._orphaned()
        if not 0 <= now - self._renewed_at <= HEARTBEAT_EVERY_S:  # the clock may be set back
            self._renewed_at = now
            self._renew_leases(now)
            if self.running and self.in_space:
                visitors.sweep(self.ws, now)
        if self.clock() - self._swept >= SWEEP_EVERY_S:
            self._swept = self.clock()
            self._sweep(now)
        for running in list(self.running.values()):
            self._attend(running)
        self._attend_idle()
        if not self.leaving:
            with reading(self.ws.db) as conn:  # a look that finds nothing takes nobody's turn
                waiting = jobs.waiting_lanes(conn)
            for lane in LANES:
                if lane in waiting:
                    self._claim(lane, now)

    def _sweep(self, now: float) -> None:
        """Remove what nobody needs any more."""
        retention.sweep_checkpoints(self.ws, now)
        staging.sweep(self.ws, now)
        bases.sweep(self.ws, now)
        logs.bound(self.ws.settings.home / "worker.log")
        # whole ones were read when they came; those that were cut off nobody else removes
        drop_oldest(self.ws.settings.uploads, now - UPLOADS_KEPT_S)
        if self.in_space:
            visitor_projects.sweep(self.ws, now)

    def _renew_leases(self, now: float) -> None:
        with writing(self.ws.db) as conn:
            workers.heartbeat(conn, self.id, self.host, os.getpid(), now)
            for running in self.running.values():
                if jobs.renew_lease(conn, running.job.id, running.job.fence, now):
                    continue
                if not _free(running, jobs.get(conn, running.job.id)):
                    _kill(running.process, signal.SIGKILL)
            lost = jobs.expired(conn, now)
        for job in lost:
            self._lost(job)

    def _lost(self, job: Job) -> None:
        error = "The worker was lost. Look at the machine's memory and disk, then start it again."
        self._again(job, "The worker was lost; the run starts again.", error)

    def _again(self, job: Job, text: str, error: str) -> None:
        """Queue the job once more, from its checkpoint if it has one; else end it with `error`."""
        if job.attempts < jobs.MAX_ATTEMPTS and not job.cancel_requested:
            with writing(self.ws.db) as conn:
                if jobs.requeue(conn, job.id, job.fence):
                    events.add(conn, job.id, [(time.time(), "log", None, {"text": text})])
            return
        state = State.CANCELLED if job.cancel_requested else State.FAILED
        job_outcomes.end(self.ws, job.id, job.fence, state, None if job.cancel_requested else error)

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
        heartbeat = Heartbeat(folder, self.clock)
        stays = job.lane == warm_child.LANE
        if stays and (process := self.warm.take(job)):
            return Running(job, process, heartbeat, handed=True)
        self.warm.end()  # its memory is wanted
        with (folder / "log.txt").open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.child", job.id, str(job.fence)],
                stdin=subprocess.PIPE if stays else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                bufsize=0,
                env={**PATIENT, **_passed_on(job), **self.ws.settings.environment()},
            )
        return Running(job, process, heartbeat)

    def _attend(self, running: Running) -> None:
        job, process, heartbeat = running[:3]
        logs.bound(self.ws.files / "jobs" / job.id / "log.txt")
        code = process.poll()
        if code is not None:
            self._drop(job)
            self._reap(running, code)
            return
        with reading(self.ws.db) as conn:
            row = jobs.get(conn, job.id)
        if _free(running, row):
            self._drop(job)
            self.warm.put(process)
        elif row is not None and row.cancel_requested:
            self._stop(row, process)
        elif heartbeat.silent_s() > STEPPING_S and heartbeat.silent_s() > patience_s(self.ws, job):
            self.hung.add(job.id)
            _kill(process, signal.SIGKILL)

    def _attend_idle(self) -> None:
        self.warm.check()
        # an orchestrator only waits; what computes needs the memory
        if self.leaving or any(one.job.lane == "compute" for one in self.running.values()):
            self.warm.end()

    def _drop(self, job: Job) -> None:
        del self.running[job.id]
        self.cancel_seen.pop(job.id, None)

    def _stop(self, job: Job, process: subprocess.Popen[bytes]) -> None:
        """Help a child along that was asked to stop: first politely, then not."""
        asked = self.cancel_seen.setdefault(job.id, self.clock())
        taken = self.clock() - asked - (SWEEP_AFTER_S if job.keep_requested else 0)
        if taken > KILL_AFTER_S:
            _kill(process, signal.SIGKILL)
        elif taken > TERM_AFTER_S:
            _kill(process, signal.SIGTERM)

    def _reap(self, running: Running, code: int) -> None:
        """See to a job whose process died without ending it itself."""
        job, hung = running.job, running.job.id in self.hung
        self.hung.discard(job.id)
        with reading(self.ws.db) as conn:
            row = jobs.get(conn, job.id)
        if row is None or row.state is not State.RUNNING or row.fence != job.fence:
            return
        if running.handed and not running.heartbeat.has_begun() and not row.cancel_requested:
            self.running[job.id] = self._start(job)  # it died before it had begun
        elif hung:
            self._again(
                row, "The run made no progress and was stopped; it starts again.", STOOD_STILL
            )
        elif code == -signal.SIGKILL and self._can_go_on(job):
            text = "The system killed the run; it goes on from where it was."
            self._again(row, text, _died(code))
        else:
            state = State.CANCELLED if row.cancel_requested else State.FAILED
            error = None if row.cancel_requested else _died(code)
            job_outcomes.end(self.ws, job.id, job.fence, state, error)

    def _can_go_on(self, job: Job) -> bool:
        if lifecycle.goes_on(job.kind):
            return True
        folder = self.ws.files / "jobs" / job.id / checkpoint.FOLDER
        return checkpoint.newest_verified(folder) is not None

    def _orphaned(self) -> bool:
        return self.parent_pid is not None and not _alive(self.parent_pid)

    def _leave(self, _signal: int, _frame: FrameType | None) -> None:
        self.leaving = True


def start(ws: Workspace) -> subprocess.Popen[bytes]:
    """A worker beside this process, in a session of its own, that follows it when it goes."""
    logs.bound(ws.settings.home / "worker.log")
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


def _kind(job: Job) -> str:
    """What decides about secrets: of exports, those to the Hub alone use the token."""
    return f"{job.kind} to hub" if job.recipe.get("to") == "hub" else job.kind


def _passed_on(job: Job) -> dict[str, str]:
    trackers = job.recipe.get("trackers", ())
    return child_environment.passed_on(
        os.environ, _kind(job), trackers if isinstance(trackers, list) else ()
    )


def _free(running: Running, row: Job | None) -> bool:
    """Whether the process has ended its job by itself and can be handed another."""
    job, ends = running.job, (State.DONE, State.CANCELLED)
    ours = row is not None and row.fence == job.fence and row.state in ends
    return ours and running.process.stdin is not None


def _died(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "The system killed the run (signal 9), most likely because memory ran out. "
            "Choose a smaller batch or max_length and start it again."
        )
    if code == errno.ENOSPC:
        return "The disk is full. Free some space; the run can then go on from its last checkpoint."
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
