"""The events of a job, read by cursor: each read asks only for those after the last one."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

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
    StoredEvent,
    TrialEvent,
)
from engine.core.job import Job, State
from engine.core.job_result import Trial
from engine.core.training_estimate import Preflight
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
_turns: dict[tuple[str, str], Lock] = {}  # of the jobs that are being read or are shared
_lock = Lock()


def follow(ws: Workspace, job: Job, known: Track) -> Track:
    """`known` and what the run said since; a run that is over is read once more and then never.

    `job` comes from a service, which let the reader see it: the events read for one browser serve
    all others, so a long run is read and held once. Who comes while it is read waits for that.
    """
    key = (str(ws.settings.home), job.id)
    known = _furthest(key, known)
    if known.whole:
        return known
    with _lock:
        turn = _turns.setdefault(key, Lock())
    with turn:
        known = _furthest(key, known)
        found = known if known.whole else _read(ws, job, known)
        with _lock:
            _share(key, found)
    return found


def _furthest(key: tuple[str, str], known: Track) -> Track:
    with _lock:
        shared = _shared.get(key, known)
    return shared if (shared.seq, shared.whole) > (known.seq, known.whole) else known


def _share(key: tuple[str, str], found: Track) -> None:
    _shared[key] = found
    _shared.move_to_end(key)
    while len(_shared) > SHARED:
        _turns.pop(_shared.popitem(last=False)[0], None)


def _read(ws: Workspace, job: Job, known: Track) -> Track:
    while True:
        events = lifecycle.stored_events(ws, who(ws), job.id, known.seq, READ_AT_ONCE)
        known = taken(known, events) if events else known
        if len(events) < READ_AT_ONCE:
            return replace(known, whole=True) if job.over else known


def taken(known: Track, events: Sequence[StoredEvent]) -> Track:
    """`known` with `events` added; an attempt says again what it goes on from.

    Only events of which something is kept are read.
    """
    begins = [n for n, event in enumerate(events) if _begins(event)]
    current = events[begins[-1] :] if begins else events
    before = _anew(known) if begins else known
    lines = series.extended(before.series, current)
    measured = sum(each.count for each in lines.values())
    lowest = _lowest(before.lowest, current)
    progress = _of_kind(current, "progress")
    samples = _data(_of_kind(current, "sample")[-KEPT_SAMPLES:], SampleEvent)
    logged = _data(_of_kind(events, "log")[-KEPT_MESSAGES:], LogEvent)
    estimates = _data(_of_kind(events, "estimate")[-1:], EstimateEvent)
    return Track(
        seq=events[-1].seq if events else known.seq,
        metrics=before.metrics if measured == before.measured else series.in_order(lines, lowest),
        measured=measured,
        series=lines,
        lowest=lowest,
        lines=(*known.lines, *_lines(events))[-KEPT_LINES:],
        logged=(*known.logged, *(data["text"] for data in logged))[-KEPT_MESSAGES:],
        began=before.began or _first_progress(progress),
        latest=_first_progress(reversed(progress)) or before.latest,
        samples=(*before.samples, *samples)[-KEPT_SAMPLES:],
        trials=(*before.trials, *_data(_of_kind(current, "trial"), TrialEvent)),
        estimate=estimates[-1] if estimates else known.estimate,
    )


def _begins(event: StoredEvent) -> bool:
    """Whether another attempt begins here."""
    found = event.read() if event.kind == "state" else None
    return isinstance(found, StateEvent) and found.data["state"] == State.RUNNING


def _of_kind(events: Iterable[StoredEvent], kind: str) -> list[StoredEvent]:
    return [event for event in events if event.kind == kind]


def _data(events: Iterable[StoredEvent], kind: type[Any]) -> list[Any]:
    """The data of these events; what does not fit its kind is left out."""
    return [found.data for event in events if isinstance(found := event.read(), kind)]


def _first_progress(events: Iterable[StoredEvent]) -> ProgressEvent | None:
    found = (event.read() for event in events)
    return next((event for event in found if isinstance(event, ProgressEvent)), None)


def _anew(known: Track) -> Track:
    """What stays when another attempt begins."""
    return Track(known.seq, lines=known.lines, logged=known.logged, estimate=known.estimate)


def _lowest(known: MetricEvent | None, events: Iterable[StoredEvent]) -> MetricEvent | None:
    """The measurement with the lowest held-out loss after the start, the first of equal ones."""
    lowest, least = None, known.data["eval_loss"] if known else None
    for event in events:
        if event.kind != "metric" or not event.step or '"eval_loss"' not in event.data:
            continue
        loss = json.loads(event.data).get("eval_loss")
        if isinstance(loss, int | float) and (least is None or loss < least):
            lowest, least = event, loss
    return lowest.measurement if lowest else known


def _lines(events: Iterable[StoredEvent]) -> list[tuple[float, str]]:
    found = [event for event in events if event.kind in ("log", "state")][-KEPT_LINES:]
    return [(event.at, words) for event in found if (words := _line(event.read()))]


def _line(event: Event) -> str:
    if isinstance(event, LogEvent):
        return event.data["text"]
    if isinstance(event, StateEvent):
        return STATES.get(event.data["state"], event.data["state"])
    return ""


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
