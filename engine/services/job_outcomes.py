"""How a job ends: all that it made becomes visible in one transaction, or nothing does."""

import time

from sqlalchemy import Connection

from engine.core import ids
from engine.core.evaluation import Evaluation
from engine.core.job import Job, State
from engine.core.job_outcome import NewModel, Outcome
from engine.core.job_result import EvaluationResult, read_result
from engine.core.model import Model
from engine.files import write_atomic
from engine.models import weights_file
from engine.services.evaluation import after_training
from engine.services.models import bases, registry
from engine.services.rating import comparisons
from engine.store import evaluations, events, jobs, models
from engine.store import rounds as round_store
from engine.store.connect import reading, writing
from engine.store.evaluations import EvaluationRef
from engine.store.json_columns import to_json
from engine.workspace import Workspace


def store(ws: Workspace, job: Job, outcome: Outcome) -> State:
    """Keep a finished job's outcome; FAILED, and nothing kept, when the fence has moved on."""
    now = time.time()
    result = read_result(job.kind, outcome.result).model_dump(mode="json")
    file = f"jobs/{job.id}/evaluation.json"
    new = _with_base(ws, outcome.model) if outcome.model else None
    if outcome.evaluation:
        write_atomic(ws.files / file, outcome.evaluation.model_dump_json().encode())
    with writing(ws.db) as conn:
        if not jobs.holds(conn, job.id, job.fence):
            return State.FAILED
        if new:
            model = _add_model(conn, job, new, now)
            result["model_id"] = model.id
            if test := after_training.queue(ws, conn, job, model, now):
                result["evaluation_job_id"] = test
        if outcome.base:
            result["model_id"] = bases.take_over(ws, conn, outcome.base, now).id
        if outcome.evaluation:
            ref = EvaluationRef(
                id=ids.new("evaluation"),
                project_id=job.project_id,
                job_id=job.id,
                dataset_id=outcome.evaluation.dataset_id,
                models=outcome.evaluation.models,
                file=file,
                created_at=now,
            )
            evaluations.add(conn, ref)
            summary = _summary(outcome.evaluation)
            result |= {"evaluation_id": ref.id, **summary.model_dump(mode="json")}
        if outcome.round_id:
            result["left_out"] = comparisons.open_with(conn, outcome.round_id, outcome.candidates)
        jobs.finish(conn, job.id, job.fence, State.DONE, now, result=to_json(result))
        events.add(conn, job.id, [(now, "state", None, {"state": State.DONE})])
    return State.DONE


def end(ws: Workspace, job_id: str, fence: int, state: State, error: str | None = None) -> bool:
    """End a job without an outcome; False when it is another worker's by now."""
    now = time.time()
    with writing(ws.db) as conn:
        if not jobs.finish(conn, job_id, fence, state, now, error=error):
            return False
        events.add(conn, job_id, [(now, "state", None, {"state": state, "error": error})])
        round_store.fail_waiting_for(conn, job_id)
    return True


def _summary(evaluation: Evaluation) -> EvaluationResult:
    """The means without the answers, for whoever shows a score and should not read a file."""
    kept = {"split", "metrics", "means", "baselines", "perplexity"}
    return EvaluationResult(
        rows=len(evaluation.rows),
        regressed=tuple(one.message for one in evaluation.regression_checks if one.regressed),
        learned=evaluation.overlap.count if evaluation.overlap else 0,
        **evaluation.model_dump(include=kept),
    )


def _with_base(ws: Workspace, new: NewModel) -> NewModel:
    """The model with a fingerprint of the base that its adapter needs."""
    if new.kind == "full" or not new.base_id:
        return new
    with reading(ws.db) as conn:
        base = models.get(conn, new.base_id)
    found = weights_file.sampled(ws.files / base.path) if base else ""
    if not found:
        return new
    return new.model_copy(update={"info": {**new.info, registry.BASE_FINGERPRINT: found}})


def _add_model(conn: Connection, job: Job, new: NewModel, now: float) -> Model:
    model = Model(
        id=ids.new("model"),
        project_id=job.project_id,
        name=job.name if job.name != job.kind else new.name,
        kind=new.kind,
        source="trained",
        path=f"jobs/{job.id}/{new.path}",
        base_id=new.base_id,
        parent_id=new.parent_id,
        job_id=job.id,
        dataset_id=new.dataset_id,
        info=new.info,
        is_trial=new.is_trial,
        created_at=now,
    )
    models.add(conn, model)
    return model
