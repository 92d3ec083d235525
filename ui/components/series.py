"""Measurements of a job, thinned while they arrive: a curve of any length takes the same memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.core.event import MetricEvent, StoredEvent

MOST_POINTS = 1500  # of a series: more cannot be told apart on a screen
MOST_SERIES = 24  # of a job; measurements under still other names share the last one

Names = str  # of the values that are measured together, as `StoredEvent.names` has them
OTHERS: Names = ""


@dataclass(frozen=True)
class ThinnedSeries:
    """Every `stride`-th of `count` measurements, and the newest of all."""

    count: int = 0
    stride: int = 1
    even: tuple[MetricEvent, ...] = ()
    newest: MetricEvent | None = None

    def extended(self, events: Sequence[StoredEvent]) -> "ThinnedSeries":
        """The series with later measurements; the stride doubles where they would be too many.

        Only those that are kept are read.
        """
        kept = events[-self.count % self.stride :: self.stride]
        even, stride = [*self.even, *_read(kept)], self.stride
        while len(even) > MOST_POINTS:
            even, stride = even[::2], 2 * stride
        newest = events[-1].measurement if events else self.newest
        return ThinnedSeries(self.count + len(events), stride, tuple(even), newest)

    @property
    def points(self) -> tuple[MetricEvent, ...]:
        """The measurements that are kept, in order, the newest among them."""
        if self.newest is None or self.even[-1].seq == self.newest.seq:
            return self.even
        return (*self.even, self.newest)


def extended(
    known: Mapping[Names, ThinnedSeries], events: Iterable[StoredEvent]
) -> dict[Names, ThinnedSeries]:
    """The series with `events` added, one series for each set of names measured together."""
    new: dict[Names, list[StoredEvent]] = {}
    for event in events:
        names = event.names
        if names is None:
            continue
        if names not in known and names not in new and len({*known, *new}) >= MOST_SERIES:
            names = OTHERS
        new.setdefault(names, []).append(event)
    return {**known, **{n: known.get(n, ThinnedSeries()).extended(each) for n, each in new.items()}}


def _read(events: Iterable[StoredEvent]) -> list[MetricEvent]:
    return [found for event in events if (found := event.measurement)]


def in_order(
    series: Mapping[Names, ThinnedSeries], *more: MetricEvent | None
) -> tuple[MetricEvent, ...]:
    """The points of all series and `more`, by their number, none of them twice."""
    found = {event.seq: event for one in series.values() for event in one.points}
    found |= {event.seq: event for event in more if event is not None}
    return tuple(found[seq] for seq in sorted(found))
