"""The events of a job, read by cursor: each read asks only for those after the last one."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from engine.core.event import (
    EstimateEvent,
    Event,
    LogEvent,
    MetricEvent,
    ProgressData,
    ProgressEvent,
    SampleData,
    SampleEvent,
    StateEvent,
    TrialEvent,
)
from engine.core.job import Job
from engine.core.job_result import Trial
from engine.core.preflight import Preflight
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import series
from ui.components.series import Names, ThinnedSeries
from ui.web.session import who

KEPT_LINES = 300
KEPT_SAMPLES = 60
KEPT_MESSAGES = 30
READ_AT_ONCE = 5_000  # events: a run of any length is read in pieces of this size
SHARED = 64  # jobs whose events all browsers share, those looked at last
STATES = {
    "queued": "Waiting for its turn.",
    "running": "Started.",
    "done": "Done.",
    "failed": "Failed.",
    "cancelled": "Stopped.",
}


@dataclass(frozen=True)
class Track:
    """Events of one run up to number `seq`; `whole` once it was read after the run was over.

    Of a long run it holds a part of the metrics, evenly spread: the newest and the lowest held-out
    loss are always among them. The samples, lines and messages are the newest.
    """

    seq: int = 0
    whole: bool = False
    metrics: tuple[MetricEvent, ...] = ()
    measured: int = 0  # metrics of this attempt, with those that are not kept
    series: Mapping[Names, ThinnedSeries] = field(default_factory=dict)
    lowest: MetricEvent | None = None  # the lowest held-out loss after the start
    lines: tuple[tuple[float, str], ...] = ()
    logged: tuple[str, ...] = ()  # the newest log messages alone, without changes of state
    began: ProgressEvent | None = None  # the first progress of this attempt
    latest: ProgressEvent | None = None  # its newest progress
    samples: tuple[SampleData, ...] = ()
    trials: tuple[Trial, ...] = ()  # of a search for settings
    estimate: Preflight | None = None

    @property
    def progress(self) -> ProgressData | None:
        """The newest progress; None before there is any."""
        return self.latest.data if self.latest else None

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the pace of this attempt so far; None before it has moved."""
        if self.began is None or self.latest is None:
            return None
        done, total = self.latest.data["done"], self.latest.data["total"]
        moved = done - self.began.data["done"]
        return (self.latest.at - self.began.at) / moved * (total - done) if moved > 0 else None


_shared: OrderedDict[tuple[str, str], Track] = OrderedDict()
_lock = Lock()


def follow(ws: Workspace, job: Job, known: Track) -> Track:
    """`known` and what the run said since; a run that is over is read once more and then never.

    `job` comes from a service, which let the reader see it: the events read for one browser serve
    all others, so a long run is read and held once.
    """
    key = (str(ws.settings.home), job.id)
    with _lock:
        shared = _shared.get(key, known)
    known = shared if (shared.seq, shared.whole) > (known.seq, known.whole) else known
    if known.whole:
        return known
    found = _read(ws, job, known)
    with _lock:
        _shared[key] = found
        _shared.move_to_end(key)
        while len(_shared) > SHARED:
            _shared.popitem(last=False)
    return found


def _read(ws: Workspace, job: Job, known: Track) -> Track:
    while True:
        events = lifecycle.watch(ws, who(ws), job.id, known.seq, READ_AT_ONCE)
        known = taken(known, events) if events else known
        if len(events) < READ_AT_ONCE:
            return replace(known, whole=True) if job.over else known


def taken(known: Track, events: list[Event]) -> Track:
    """`known` with `events` added; an attempt says again what it goes on from."""
    current = lifecycle.current(events)
    before = known if current is events else _anew(known)
    metrics = [event for event in current if isinstance(event, MetricEvent)]
    lines = series.extended(before.series, metrics)
    lowest = _lowest(before.lowest, metrics)
    samples = [event.data for event in current if isinstance(event, SampleEvent)]
    trials = [event.data for event in current if isinstance(event, TrialEvent)]
    progress = [event for event in current if isinstance(event, ProgressEvent)]
    logged = [event.data["text"] for event in events if isinstance(event, LogEvent)]
    estimates = [event.data for event in events if isinstance(event, EstimateEvent)]
    return Track(
        seq=events[-1].seq if events else known.seq,
        metrics=series.in_order(lines, lowest) if metrics else before.metrics,
        measured=before.measured + len(metrics),
        series=lines,
        lowest=lowest,
        lines=(*known.lines, *_lines(events))[-KEPT_LINES:],
        logged=(*known.logged, *logged)[-KEPT_MESSAGES:],
        began=before.began or next(iter(progress), None),
        latest=progress[-1] if progress else before.latest,
        samples=(*before.samples, *samples)[-KEPT_SAMPLES:],
        trials=(*before.trials, *trials),
        estimate=estimates[-1] if estimates else known.estimate,
    )


def _anew(known: Track) -> Track:
    """What stays when another attempt begins."""
    return Track(known.seq, lines=known.lines, logged=known.logged, estimate=known.estimate)


def _lowest(known: MetricEvent | None, metrics: list[MetricEvent]) -> MetricEvent | None:
    for event in metrics:
        loss = event.data.get("eval_loss")
        if loss is None or not event.step:
            continue
        if known is None or loss < known.data["eval_loss"]:
            known = event
    return known


def _lines(events: list[Event]) -> list[tuple[float, str]]:
    found = []
    for event in events:
        if isinstance(event, LogEvent):
            found.append((event.at, event.data["text"]))
        elif isinstance(event, StateEvent):
            state = event.data["state"]
            found.append((event.at, STATES.get(state, state)))
    return found


def newest(track: Track, name: str) -> float | None:
    """The last value of a metric; None while it was never said."""
    for event in reversed(track.metrics):
        if name in event.data:
            return float(event.data[name])
    return None


def best(track: Track) -> tuple[int, float] | None:
    """Step and held-out loss of the checkpoint that is kept: the lowest after the start."""
    if track.lowest is None:
        return None
    return track.lowest.step or 0, float(track.lowest.data["eval_loss"])
