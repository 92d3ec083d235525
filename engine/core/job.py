"""A job is data: what to run, how far it is, who runs it; its lane says how many run at once."""

from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SerializeAsAny, model_validator

from engine.core.job_result import JobResult, read_result

R = TypeVar("R", bound=JobResult)


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.FAILED}),
    State.RUNNING: frozenset({State.DONE, State.FAILED, State.CANCELLED, State.QUEUED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}

# A lane is a set of jobs that wait for one another. Orchestrators (demo) only wait, so they have
# their own lane; the playground answers while a training runs; a download only needs the network.
LANES: dict[str, int] = {"compute": 1, "play": 1, "loop": 2, "download": 1}


class Job(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    kind: str
    lane: str
    name: str
    recipe: dict[str, Any]
    state: State
    owner: str
    worker: str | None = None
    fence: int = 0
    attempts: int = 0
    lease_until: float | None = None
    cancel_requested: bool = False
    keep_requested: bool = False  # with cancel_requested: stop, but keep the best state so far
    note: str = ""
    tags: tuple[str, ...] = ()
    error: str | None = None
    result: SerializeAsAny[JobResult] = JobResult()  # of the class that belongs to `kind`
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _result_of_the_kind(cls, values: Any) -> Any:
        if isinstance(values, dict) and "kind" in values:
            return {**values, "result": read_result(values["kind"], values.get("result") or {})}
        return values

    def result_as(self, wanted: type[R]) -> R:
        """The result where it is a `wanted`; else one in which nothing was found."""
        return self.result if isinstance(self.result, wanted) else wanted()

    @property
    def over(self) -> bool:
        return not TRANSITIONS[self.state]
