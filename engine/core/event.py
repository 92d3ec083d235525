"""What a job reports while it waits, runs and ends: one class for each kind of event.

`Event` is the union of the kinds, told apart by `kind`; `read_event` makes one of a stored row.
A job says them through `Context.emit(kind, data, step)`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NotRequired, final

from pydantic import BaseModel, ConfigDict, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic reads this one before Python 3.12

from engine.core.job_result import Trial
from engine.core.json_object import JsonObject
from engine.core.training_estimate import Preflight

Number = int | float  # a count stays a count, in JSON too
KEEP_ALL = ConfigDict(extra="allow")  # what another version or a plug-in wrote beside it stays


@with_config(KEEP_ALL)
class StateData(TypedDict):
    """`error` stands where the job failed."""

    state: str
    error: NotRequired[str | None]


@with_config(KEEP_ALL)
class ProgressData(TypedDict):
    """`done` of `total` in units of the job's own; `eta_s` are seconds, where they are known."""

    done: Number
    total: Number
    label: NotRequired[str]
    eta_s: NotRequired[Number | None]


@with_config(KEEP_ALL)
class LogData(TypedDict):
    """One sentence."""

    text: str


@with_config(KEEP_ALL)
class SampleText(TypedDict):
    """What the model in training answers to a held-out prompt, beside what was expected."""

    prompt: str
    text: str
    reference: str


@final
class TrainingSample(SampleText):
    """A sample after `step` steps."""

    step: int


@final
@with_config(KEEP_ALL)
class PlaygroundSample(TypedDict):
    """What a model has written so far, and whether that is all."""

    model: str
    text: str
    done: bool


MetricData = dict[str, Number]  # a measurement's name -> its value
SampleData = TrainingSample | PlaygroundSample
EventData = (
    StateData
    | ProgressData
    | LogData
    | TrainingSample
    | PlaygroundSample
    | MetricData
    | Trial
    | Preflight
)


class AnyEvent(BaseModel):
    """What all events have; `seq` rises by one within a job, `at` is in seconds since 1970."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    seq: int
    at: float
    step: int | None = None


class StateEvent(AnyEvent):
    """The job is in another state."""

    kind: Literal["state"] = "state"
    data: StateData


class ProgressEvent(AnyEvent):
    """How far the job is."""

    kind: Literal["progress"] = "progress"
    data: ProgressData


class MetricEvent(AnyEvent):
    """Numbers of a step by name, such as `loss`, `eval_loss`, `learning_rate`."""

    kind: Literal["metric"] = "metric"
    data: MetricData


class LogEvent(AnyEvent):
    """A sentence about what the job does."""

    kind: Literal["log"] = "log"
    data: LogData


class SampleEvent(AnyEvent):
    """An answer: of the model in training, or of the playground."""

    kind: Literal["sample"] = "sample"
    data: SampleData


class TrialEvent(AnyEvent):
    """A trial of a search for settings, as it ended."""

    kind: Literal["trial"] = "trial"
    data: Trial


class EstimateEvent(AnyEvent):
    """The estimate that the training was started with."""

    kind: Literal["estimate"] = "estimate"
    data: Preflight


class OtherEvent(AnyEvent):
    """An event of an installed plug-in's own kind, or of another version, as it was stored."""

    kind: str
    data: JsonObject = {}


KnownEvent = (
    StateEvent | ProgressEvent | MetricEvent | LogEvent | SampleEvent | TrialEvent | EstimateEvent
)
Event = KnownEvent | OtherEvent
EVENTS: dict[str, type[KnownEvent]] = {
    "state": StateEvent,
    "progress": ProgressEvent,
    "metric": MetricEvent,
    "log": LogEvent,
    "sample": SampleEvent,
    "trial": TrialEvent,
    "estimate": EstimateEvent,
}


def read_event(values: Mapping[str, Any]) -> Event:
    """The event that `values` are; what does not fit its kind is kept as it was stored."""
    known = EVENTS.get(values["kind"])
    try:
        return known.model_validate(values) if known else OtherEvent.model_validate(values)
    except ValidationError:
        return OtherEvent.model_validate(values)


# a number after its name, in JSON without spaces
_NUMBER = re.compile(r'(?<="):(?:-?\d[\d.eE+-]*|NaN|-?Infinity)(?=[,}])')


class StoredEvent(NamedTuple):
    """An event as it is stored, its data JSON that nobody has read.

    A long run has hundreds of thousands of them, of which a page shows a few thousand.
    """

    job_id: str
    seq: int
    at: float
    kind: str
    step: int | None
    data: str

    def read(self) -> Event:
        """The event; ValueError where its data is no JSON."""
        return read_event(self._asdict() | {"data": json.loads(self.data)})

    @property
    def measurement(self) -> MetricEvent | None:
        """The event where it is of numbers by name, else None."""
        found = self.read() if self.kind == "metric" else None
        return found if isinstance(found, MetricEvent) else None

    @property
    def names(self) -> str | None:
        """What says which names a measurement has, equal for equal names; None for other events."""
        if self.kind != "metric":
            return None
        names = _NUMBER.sub("", self.data)
        if '":' not in names:
            return names
        found = self.measurement  # it holds more than numbers, or an odd name
        return None if found is None else "{" + json.dumps(sorted(found.data))[1:-1] + "}"
