"""The process of one job, `python -m engine.child JOB_ID FENCE`, and its sentence for a failure.

Whoever keeps its input open can hand it more jobs of that kind, one line `JOB_ID FENCE` each; what
is loaded stays loaded between them. The end of the input ends it.

The process reads the recipe from the database, runs the job's module and stores what came out in
one transaction that first checks the fence. Whatever goes wrong is one sentence in the job's row;
the traceback goes to the log file of the job.
"""

import ctypes
import errno
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.dataset import Row, Split
from engine.core.errors import NoRoom, Unavailable, UserError
from engine.core.evaluation import Evaluation
from engine.core.event import EventData
from engine.core.job import Job, State
from engine.core.job_context import Cancelled, ModelCache, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.reward_head import RewardHead, VotedPairs
from engine.methods import checkpoint
from engine.services import access, job_outcomes
from engine.services.data import datasets
from engine.services.evaluation import evaluations
from engine.services.jobs import heartbeat
from engine.services.jobs.lifecycle import recipe_of
from engine.services.models import registry
from engine.services.preferences.voted_pairs import voted_pairs
from engine.services.rating import reward_heads
from engine.store import events, jobs
from engine.store.connect import reading, writing
from engine.store.events import EventRow
from engine.workspace import Workspace, open_workspace

WRITE_EVERY_S = 0.5
POLL_EVERY_S = 1.0
# CUDA's words and those of PyTorch's allocator on a processor
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")
PR_SET_PDEATHSIG = 1


class Fenced(Exception):
    """The job was taken from this process; nothing more may be written."""


class JobContext:
    """The Context of a running job: events in batches, cancel from the database."""

    def __init__(self, ws: Workspace, job: Job, model_cache: ModelCache) -> None:
        self.ws = ws
        self.model_cache = model_cache
        self.job_id = job.id
        self.project_id = job.project_id
        self.fence = job.fence
        self.folder = ws.files / "jobs" / job.id
        self.cache = ws.files / "cache"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._unwritten: list[EventRow] = []
        self._lock = threading.Lock()
        self._written = self._looked = 0.0
        self._stop = self._keep = False
        self._terminated = False
        self._alive = 0.0
        self._show_life()

    def emit(self, kind: str, data: EventData, step: int | None = None) -> None:
        """Keep an event; at most two writes a second reach the database."""
        self._show_life()
        with self._lock:
            self._unwritten.append((time.time(), kind, step, data))
        if time.monotonic() - self._written > WRITE_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write the kept events; Fenced when the job is another process's by now."""
        with self._lock:
            pending, self._unwritten = self._unwritten, []
        self._written = time.monotonic()
        with writing(self.ws.db) as conn:
            if not jobs.holds(conn, self.job_id, self.fence):
                raise Fenced
            events.add(conn, self.job_id, pending)

    def cancelled(self) -> bool:
        """Whether the person, or the worker by SIGTERM, asked to stop."""
        self._show_life()
        # a wish to keep can be taken back, so that one is looked at again
        final = (self._stop or self._terminated) and not self._keep
        if not final and time.monotonic() - self._looked > POLL_EVERY_S:
            self._looked = time.monotonic()
            with reading(self.ws.db) as conn:
                job = access.job(conn, LOCAL, self.job_id)
            self._stop, self._keep = job.cancel_requested, job.keep_requested
        return self._stop or self._terminated

    def keeping(self) -> bool:
        """Whether the stop was asked for with the wish to keep what was reached."""
        return self._keep

    def check(self) -> None:
        """Raise Cancelled when asked to stop."""
        if self.cancelled():
            raise Cancelled

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Take SIGTERM as the wish to stop; it may come while the database is looked at."""
        self._terminated = True

    def _show_life(self) -> None:
        """Touch the file that tells the worker that this process gets on with its work."""
        if time.monotonic() - self._alive > POLL_EVERY_S:
            self._alive = time.monotonic()
            with suppress(OSError):  # on a full disk the run itself says so
                (self.folder / heartbeat.FILE).touch()

    def rows(self, dataset_id: str, split: Split | None = None) -> list[Row]:
        """The rows of a dataset version in their order."""
        return datasets.rows(self.ws, LOCAL, dataset_id, split)

    def model(self, model_id: str) -> ModelFiles:
        """Where a model's files lie."""
        return registry.files(self.ws, registry.get(self.ws, LOCAL, model_id))

    def evaluation(self, evaluation_id: str) -> Evaluation:
        """Every answer and score of an evaluation that is done."""
        return evaluations.get(self.ws, LOCAL, evaluation_id)

    def voted_pairs(self, rounds: Sequence[str]) -> VotedPairs:
        """What raters prefer in these rounds of the job's project."""
        return voted_pairs(self.ws, LOCAL, self.project_id, rounds)

    def reward_head(self, job_id: str) -> RewardHead:
        """The head that a job of the project learned from votes."""
        return reward_heads.head(self.ws, LOCAL, self.project_id, job_id)


def run(ws: Workspace, job_id: str, fence: int, model_cache: ModelCache | None = None) -> State:
    """The state that a claimed job ended in after running it here; tests call this too."""
    with reading(ws.db) as conn:
        job = access.job(conn, LOCAL, job_id)
    if job.state is not State.RUNNING or job.fence != fence:
        return job.state
    ctx = JobContext(ws, job, model_cache or ModelCache())
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ctx.stop)
    try:
        outcome: Outcome = plugins.load("jobs", job.kind).run(recipe_of(job), ctx)
        ctx.flush()
        return _stored(ctx, job, outcome)
    except Fenced:
        return State.FAILED
    except Cancelled:
        return _end(ctx, State.CANCELLED)
    except UserError as error:
        return _end(ctx, State.FAILED, str(error))
    except MemoryError:
        return _end(ctx, State.FAILED, "The memory ran out. Choose a smaller batch or max_length.")
    except Exception as error:
        _log_fault()
        return _end(ctx, State.FAILED, _sentence(error))


def _stored(ctx: JobContext, job: Job, outcome: Outcome) -> State:
    """Keep the outcome; only then are the checkpoints that led to it of no more use."""
    state = job_outcomes.store(ctx.ws, job, outcome)
    if state is State.DONE:
        checkpoint.clear(ctx.folder / checkpoint.FOLDER)
    return state


def _end(ctx: JobContext, state: State, error: str | None = None) -> State:
    try:
        ctx.flush()
    except Fenced:
        return State.FAILED
    job_outcomes.end(ctx.ws, ctx.job_id, ctx.fence, state, error)
    return state


def _sentence(error: Exception) -> str:
    if any(words in str(error).lower() for words in OUT_OF_MEMORY):
        return "The memory ran out. Choose a smaller batch or max_length."
    if isinstance(error, OSError) and error.strerror:
        return f"The system said: {error.strerror}. Free disk space or memory and start again."
    return (
        f"The run failed because of a bug in Tuneloop ({type(error).__name__}). "
        "Its log file in the data folder has the details; please report it."
    )


def _log_fault() -> None:
    with suppress(OSError):  # the log may lie on the very disk that is full
        traceback.print_exc()
        sys.stderr.flush()


def _follow_worker() -> bool:
    """Let the system end this process with the worker that started it; False if it is gone already.

    Without a worker nobody would stop the run, and its lease would run out under it.
    """
    worker = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == worker


def _log_to(path: Path) -> None:
    """Let all that this process says from now on, in whatever language, go to the log at `path`."""
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)


def _flush_or_drop() -> None:
    """Write what is still to be logged, or forget it.

    Python would end with 120 in place of the code that says why, where the log takes no more.
    """
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError:
            setattr(sys, name, None)


def _serve(ws: Workspace, job_id: str, fence: int) -> int:
    """Run the job, and those that come in through the input until one of them goes wrong."""
    model_cache = ModelCache()
    while run(ws, job_id, fence, model_cache) in (State.DONE, State.CANCELLED):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        asked = sys.stdin.readline().split()
        if not asked:
            return 0
        job_id, fence = asked[0], int(asked[1])
        _log_to(ws.files / "jobs" / job_id / "log.txt")
    return 1


def main() -> int:
    """0 when every job ended well or was cancelled, 1 otherwise."""
    job_id, fence = sys.argv[1], int(sys.argv[2])
    if not _follow_worker():
        return 1
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    ws = open_workspace()
    try:
        return _serve(ws, job_id, fence)
    except Unavailable as error:
        _log_fault()
        # where not even the end can be written, the worker has to say why
        return errno.ENOSPC if isinstance(error, NoRoom) else 1
    finally:
        _flush_or_drop()


if __name__ == "__main__":
    sys.exit(main())
