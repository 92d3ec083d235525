"""`/v1/fine_tuning/jobs`: OpenAI's words over the trainings of a project."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from engine import plugins
from engine.api import pages, served_models
from engine.api.callers import Asking, OpenWorkspace
from engine.api.errors import Refused, Wire
from engine.api.files import MEASURES, RESULTS, known_file, started_by
from engine.core.event import Event, LogEvent, MetricEvent, StateEvent
from engine.core.job import State
from engine.core.job_result import TrainingResult
from engine.core.json_object import JsonObject
from engine.core.recipe import TrainRecipe
from engine.services.jobs import lifecycle
from engine.services.training import api_fine_tuning
from engine.services.training.api_fine_tuning import Started

router = APIRouter()
KINDS = {"supervised": "sft", "dpo": "dpo"}
STATUS = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.DONE: "succeeded",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
REINFORCEMENT = (
    "The method 'reinforcement' is not served here: its graders run code or another model for each "
    "answer. Train with votes (method 'dpo'), or start GRPO from the Training page."
)
Auto = Literal["auto"]
MetadataKey = Annotated[str, Field(max_length=64)]  # as OpenAI has it
MetadataValue = Annotated[str, Field(max_length=512)]
METADATA = re.compile(r"metadata\[(.*)\]")  # of a query: one entry that listed jobs have


class Hyperparameters(BaseModel):
    """OpenAI's names; "auto" is what Tuneloop would choose."""

    model_config = ConfigDict(extra="forbid")

    n_epochs: Auto | Annotated[int, Field(ge=1, le=100)] = "auto"
    batch_size: Auto | Annotated[int, Field(ge=1, le=512)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=1000)] = "auto"
    beta: Auto | Annotated[float, Field(gt=0, le=100)] = "auto"


class MethodOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str
    supervised: MethodOptions | None = None
    dpo: MethodOptions | None = None


class TrainingRequest(BaseModel):
    """What OpenAI's clients send to start a job. It is kept as JSON, so nothing unknown stays."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=300)
    training_file: str = Field(max_length=100)
    validation_file: str | None = Field(None, max_length=100)
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None  # deprecated by OpenAI
    suffix: str | None = Field(None, max_length=64)
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    integrations: list[JsonObject] | None = None

    @property
    def kind(self) -> str:
        """The kind of job; Refused for a method that is not served."""
        wanted = self.method.type if self.method else "supervised"
        if wanted == "reinforcement":
            raise Refused(REINFORCEMENT, param="method.type", code="unsupported_method")
        if wanted not in KINDS:
            raise Refused(
                f"The method {wanted[:40]!r} is unknown; use supervised or dpo.",
                param="method.type", code="invalid_method",
            )  # fmt: skip
        return KINDS[wanted]

    @property
    def chosen(self) -> Hyperparameters:
        options = None
        if self.method:
            options = self.method.dpo if self.method.type == "dpo" else self.method.supervised
        return options.hyperparameters if options else self.hyperparameters or Hyperparameters()

    def values(self, model_id: str, dataset_id: str) -> dict[str, object]:
        """The fields of the recipe; the learning rate is a multiple of the method's own."""
        recipe: type[TrainRecipe] = plugins.load("jobs", self.kind).Recipe
        usual = recipe.model_fields["learning_rate"].default
        given, found = self.chosen, {"model": model_id, "dataset": dataset_id}
        values: dict[str, object] = dict(found)
        if given.n_epochs != "auto":
            values["num_train_epochs"] = given.n_epochs
        if given.batch_size != "auto":
            values["per_device_train_batch_size"] = given.batch_size
        if given.learning_rate_multiplier != "auto":
            values["learning_rate"] = usual * given.learning_rate_multiplier
        if given.beta != "auto":
            if self.kind != "dpo":
                raise Refused("beta belongs to the method dpo.", param="method.supervised")
            values["beta"] = given.beta
        if self.seed is not None:
            values["seed"] = self.seed
        return values


@router.post("/v1/fine_tuning/jobs")
def create(ws: OpenWorkspace, caller: Asking, asked: TrainingRequest) -> Wire:
    """Start a training of the rows of a file."""
    kind = asked.kind
    if asked.integrations:
        raise Refused(
            "Integrations are chosen in Tuneloop's recipes, not here.", param="integrations"
        )
    model = served_models.find(ws, caller, asked.model)
    for field in ("training_file", "validation_file"):
        given = getattr(asked, field)
        if given is not None:
            known_file(ws, caller, given, field)
    dataset = api_fine_tuning.dataset_of(
        ws, caller.actor, caller.project_id, kind, asked.training_file, asked.validation_file
    )
    name = f"{model.name}-{asked.suffix}" if asked.suffix else ""
    job = api_fine_tuning.start(
        ws, caller.actor, caller.project_id, kind, asked.values(model.id, dataset.id), name,
        asked.model_dump_json(exclude_none=True),
    )  # fmt: skip
    return _job(api_fine_tuning.started(ws, caller.actor, job.id))


@router.get("/v1/fine_tuning/jobs")
def jobs(
    request: Request,
    ws: OpenWorkspace,
    caller: Asking,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Wire:
    """The trainings that programs started, newest first; with `metadata[KEY]=VALUE`, such alone.

    `metadata=null` asks for those without.
    """
    found = map(_job, api_fine_tuning.list_all(ws, caller.actor, caller.project_id))
    asked = request.query_params
    wanted = [(named[1], text) for key, text in asked.items() if (named := METADATA.match(key))]
    without = asked.get("metadata") == "null"
    listed = [one for one in found if _is_listed(one["metadata"] or {}, wanted, without)]
    return pages.page(listed, after, limit)


@router.get("/v1/fine_tuning/jobs/{job_id}")
def job(ws: OpenWorkspace, caller: Asking, job_id: str) -> Wire:
    """A training as it stands."""
    return _job(started_by(ws, caller, job_id))


@router.post("/v1/fine_tuning/jobs/{job_id}/cancel")
def cancel(ws: OpenWorkspace, caller: Asking, job_id: str) -> Wire:
    """Stop a training."""
    training = started_by(ws, caller, job_id)
    lifecycle.cancel(ws, caller.actor, training.job.id)
    return _job(started_by(ws, caller, job_id))


@router.post("/v1/fine_tuning/jobs/{job_id}/{what}")
def other(ws: OpenWorkspace, caller: Asking, job_id: str, what: str) -> Wire:
    """What OpenAI has and this server has not."""
    started_by(ws, caller, job_id)
    raise Refused(f"{what[:40]!r} is not served here; cancel a job and start it again.", status=404)


@router.get("/v1/fine_tuning/jobs/{job_id}/events")
def events(
    ws: OpenWorkspace,
    caller: Asking,
    job_id: str,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> Wire:
    """What a training said, newest first."""
    training = started_by(ws, caller, job_id)
    known = lifecycle.watch(ws, caller.actor, training.job.id)
    listed = [event for each in known for event in _events(training.job.id, each)]
    return pages.page(listed[::-1], after, limit)


@router.get("/v1/fine_tuning/jobs/{job_id}/checkpoints")
def checkpoints(
    ws: OpenWorkspace,
    caller: Asking,
    job_id: str,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Wire:
    """The state that was kept, once there is one."""
    return pages.page(_checkpoints(started_by(ws, caller, job_id)), after, limit)


def _is_listed(metadata: Any, wanted: Sequence[tuple[str, str]], without: bool) -> bool:
    """Whether a job with this metadata is asked for."""
    if without:
        return not metadata
    return all(metadata.get(key) == text for key, text in wanted)


def _job(started: Started) -> Wire:
    job, asked = started.job, TrainingRequest.model_validate_json(started.request)
    result = job.result_as(TrainingResult)
    done = job.state is State.DONE
    failed = job.state is State.FAILED
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": int(job.created_at),
        "finished_at": int(job.finished_at) if job.finished_at else None,
        "model": asked.model,
        "fine_tuned_model": result.model_id if done else None,
        "organization_id": job.project_id,
        "status": STATUS[job.state],
        "error": _error(job.error) if failed else {"code": None, "message": None, "param": None},
        "hyperparameters": asked.chosen.model_dump(exclude={"beta"}),
        "method": asked.method.model_dump(exclude_none=True) if asked.method else None,
        "training_file": asked.training_file,
        "validation_file": asked.validation_file,
        "result_files": [RESULTS + job.id] if done else [],
        "trained_tokens": result.tokens if done else None,
        "seed": job.recipe.get("seed", 0),
        "metadata": asked.metadata,
        "integrations": [],
        "estimated_finish": None,
    }


def _error(sentence: str | None) -> dict[str, str | None]:
    return {"code": "training_failed", "message": sentence or "The training failed.", "param": None}


def _events(job_id: str, event: Event) -> Iterator[Wire]:
    """OpenAI's event of one of ours; none of what only a page shows."""
    shown: tuple[str, str, Wire] | None = None
    level = "info"
    if isinstance(event, StateEvent):
        state = event.data["state"]
        status = STATUS.get(State(state), state) if state in set(State) else state
        level = "error" if state == State.FAILED else "info"
        error = event.data.get("error")
        shown = (f"The job is {status}." + (f" {error}" if error else ""), "message", {})
    elif isinstance(event, LogEvent):
        shown = (event.data["text"], "message", {})
    elif isinstance(event, MetricEvent):
        named = {MEASURES.get(name, name): value for name, value in event.data.items()}
        numbers = ", ".join(f"{name}={value:.4g}" for name, value in named.items())
        shown = (f"Step {event.step}: {numbers}", "metrics", {"step": event.step, **named})
    if shown:
        message, kind, data = shown
        yield {
            "id": f"ftevent-{job_id}-{event.seq}", "object": "fine_tuning.job.event",
            "created_at": int(event.at), "level": level, "message": message, "type": kind,
            "data": data,
        }  # fmt: skip


def _checkpoints(started: Started) -> list[Wire]:
    """The state that was kept, once the job is done: the one with the best held-out loss."""
    job, result = started.job, started.job.result_as(TrainingResult)
    if job.state is not State.DONE or result.model_id is None:
        return []
    step = result.best_step or result.steps
    measured = {
        "step": step, "train_loss": result.last_train_loss, "valid_loss": result.best_held_out_loss,
    }  # fmt: skip
    return [
        {
            "id": f"ftckpt-{job.id}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(job.finished_at or job.created_at),
            "fine_tuned_model_checkpoint": result.model_id,
            "fine_tuning_job_id": job.id,
            "step_number": step,
            "metrics": {name: value for name, value in measured.items() if value is not None},
        }
    ]
