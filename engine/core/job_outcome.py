"""What a finished job hands back. The child process stores all of it in one transaction, or none.

A job module never writes to the database: it returns an Outcome, so a job that was fenced off
leaves nothing behind.
"""

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from engine.core.evaluation import Evaluation
from engine.core.job_result import JobResult
from engine.core.json_object import JsonObject
from engine.core.model import ModelKind
from engine.core.rating import Candidate


class NewModel(BaseModel):
    """What a training wrote to `Context.folder / path`."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ModelKind = "adapter"
    path: str
    base_id: str
    parent_id: str | None
    dataset_id: str
    info: JsonObject = {}
    is_trial: bool = False


class NewBase(BaseModel):
    """A base that a job left in `folder` of the cache, whole; it moves to the bases of all."""

    model_config = ConfigDict(frozen=True)

    name: str
    folder: str
    info: JsonObject = {}


class Outcome(BaseModel):
    """`result` is shown to people and returned by `--json`; the rest becomes rows of tables."""

    model_config = ConfigDict(frozen=True)

    result: SerializeAsAny[JobResult] = JobResult()
    model: NewModel | None = None
    base: NewBase | None = None
    evaluation: Evaluation | None = None
    round_id: str | None = None
    candidates: tuple[Candidate, ...] = ()
