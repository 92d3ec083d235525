"""What a run has said so far, read in pieces: each look reads only what is new."""

from dataclasses import dataclass, field
from typing import Any

from engine.core.actor import LOCAL
from engine.core.job import Event, Job, State
from engine.services import jobs
from engine.workspace import Workspace

KEPT_LINES = 300
STATES = {
    "queued": "Waiting for its turn.",
    "running": "Started.",
    "done": "Done.",
    "failed": "Failed.",
    "cancelled": "Stopped.",
}


@dataclass(frozen=True)
class Track:
    """Events of one run up to number `seq`; `whole` once it was read after the run was over."""

    seq: int = 0
    whole: bool = False
    metrics: tuple[Event, ...] = ()
    lines: tuple[tuple[float, str], ...] = ()
    progress: dict[str, Any] = field(default_factory=dict)


def look(ws: Workspace, job: Job, known: Track) -> Track:
    """`known` and what the run said since; a run that is over is read once more and then never."""
    if known.whole:
        return known
    return taken(known, jobs.watch(ws, LOCAL, job.id, known.seq), job.over)


def taken(known: Track, events: list[Event], over: bool = False) -> Track:
    """`known` with `events` added; a run that starts again begins its curves anew."""
    metrics, lines, progress = list(known.metrics), list(known.lines), known.progress
    for event in events:
        if event.kind == "metric":
            metrics.append(event)
        elif event.kind == "progress":
            progress = event.data
        elif event.kind == "log":
            lines.append((event.at, str(event.data["text"])))
        elif event.kind == "state":
            lines.append((event.at, STATES.get(event.data["state"], str(event.data["state"]))))
            if event.data["state"] == State.RUNNING:
                metrics, progress = [], {}
    seq = events[-1].seq if events else known.seq
    return Track(seq, over, tuple(metrics), tuple(lines[-KEPT_LINES:]), progress)


def newest(track: Track, name: str) -> float | None:
    """The last value of a metric; None while it was never said."""
    for event in reversed(track.metrics):
        if name in event.data:
            return float(event.data[name])
    return None


def best(track: Track) -> tuple[int, float] | None:
    """Step and held-out loss of the checkpoint that is kept: the lowest after the start."""
    found = [
        (float(event.data["eval_loss"]), event.step or 0)
        for event in track.metrics
        if "eval_loss" in event.data and event.step
    ]
    if not found:
        return None
    loss, step = min(found)
    return step, loss
