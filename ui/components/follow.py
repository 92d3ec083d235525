"""The events of a job, read by cursor: each read asks only for those after the last one."""

from dataclasses import dataclass, field
from typing import Any

from engine.core.job import Event, Job
from engine.core.result import Trial
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.web.session import who

KEPT_LINES = 300
KEPT_SAMPLES = 60
KEPT_MESSAGES = 30
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
    logged: tuple[str, ...] = ()  # the newest log messages alone, without changes of state
    began: Event | None = None  # the first progress of this attempt
    latest: Event | None = None  # its newest progress
    samples: tuple[dict[str, Any], ...] = ()
    trials: tuple[Trial, ...] = ()  # of a search for settings
    estimate: dict[str, Any] = field(default_factory=dict)

    @property
    def progress(self) -> dict[str, Any]:
        """The newest progress: `done`, `total`, `label`; empty before there is any."""
        return self.latest.data if self.latest else {}

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the pace of this attempt so far; None before it has moved."""
        if self.began is None or self.latest is None:
            return None
        done, total = float(self.latest.data["done"]), float(self.latest.data["total"])
        moved = done - float(self.began.data["done"])
        return (self.latest.at - self.began.at) / moved * (total - done) if moved > 0 else None


def look(ws: Workspace, job: Job, known: Track) -> Track:
    """`known` and what the run said since; a run that is over is read once more and then never."""
    if known.whole:
        return known
    return taken(known, lifecycle.watch(ws, who(ws), job.id, known.seq), job.over)


def taken(known: Track, events: list[Event], over: bool = False) -> Track:
    """`known` with `events` added; an attempt says again what it goes on from."""
    said = lifecycle.current(events)
    begins = said is not events
    metrics = [*(() if begins else known.metrics), *(e for e in said if e.kind == "metric")]
    data = {kind: [e.data for e in said if e.kind == kind] for kind in ("sample", "trial")}
    samples = [*(() if begins else known.samples), *data["sample"]]
    trials = [*(() if begins else known.trials), *map(Trial.model_validate, data["trial"])]
    progress = [event for event in said if event.kind == "progress"]
    began = None if begins else known.began
    logged = [str(event.data["text"]) for event in events if event.kind == "log"]
    estimates = [event.data for event in events if event.kind == "estimate"]
    return Track(
        seq=events[-1].seq if events else known.seq,
        whole=over,
        metrics=tuple(metrics),
        lines=(*known.lines, *_lines(events))[-KEPT_LINES:],
        logged=(*known.logged, *logged)[-KEPT_MESSAGES:],
        began=began or next(iter(progress), None),
        latest=progress[-1] if progress else None if begins else known.latest,
        samples=tuple(samples[-KEPT_SAMPLES:]),
        trials=tuple(trials),
        estimate=estimates[-1] if estimates else known.estimate,
    )


def _lines(events: list[Event]) -> list[tuple[float, str]]:
    found = []
    for event in events:
        if event.kind == "log":
            found.append((event.at, str(event.data["text"])))
        elif event.kind == "state":
            said = str(event.data["state"])
            found.append((event.at, STATES.get(said, said)))
    return found


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
