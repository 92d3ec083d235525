"""`/v1/files`: what programs hand in, and the measurements of their trainings."""

import csv
import io
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import FileResponse, Response

from engine.api import pages
from engine.api.callers import Asking, Caller, OpenWorkspace
from engine.api.errors import Refused, Wire
from engine.core.errors import NotFound
from engine.core.event import MetricEvent
from engine.core.job import State
from engine.services.jobs import lifecycle
from engine.services.training import api_fine_tuning
from engine.services.training.api_fine_tuning import Started
from engine.store.api_files import FileRow
from engine.workspace import Workspace

RESULTS = "file-results-"  # and the id of the job: its measurements as CSV
MEASURES = {"loss": "train_loss", "eval_loss": "valid_loss"}  # ours, and OpenAI's names
router = APIRouter()


@router.post("/v1/files")
def upload(
    ws: OpenWorkspace,
    caller: Asking,
    file: Annotated[UploadFile, File()],
    purpose: Annotated[str, Form()],
) -> Wire:
    """Keep a JSONL file."""
    name = file.filename or ""
    if purpose != "fine-tune":
        raise Refused(
            f"The purpose {purpose[:40]!r} is not served here; use fine-tune.", param="purpose"
        )
    if not name.lower().endswith(".jsonl"):
        raise Refused(
            "Invalid file format for Fine-Tuning API. Must be .jsonl", param="file",
            code="invalid_file_format",
        )  # fmt: skip
    return _file(
        api_fine_tuning.add_file(ws, caller.actor, caller.project_id, name, purpose, file.file)
    )


@router.get("/v1/files")
def files(
    ws: OpenWorkspace,
    caller: Asking,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    purpose: str | None = None,
    order: Literal["asc", "desc"] = "desc",
) -> Wire:
    """The files of the project, newest first unless `order` says otherwise."""
    stored = api_fine_tuning.files(ws, caller.actor, caller.project_id)
    listed = [_file(one) for one in stored if purpose in (None, one.purpose)]
    return pages.page(listed if order == "desc" else listed[::-1], after, limit)


@router.get("/v1/files/{file_id}")
def one_file(ws: OpenWorkspace, caller: Asking, file_id: str) -> Wire:
    """What is known of a file."""
    if file_id.startswith(RESULTS):
        training = started_by(ws, caller, file_id.removeprefix(RESULTS))
        return _results_file(training, len(_measurements(ws, caller, training).encode()))
    return _file(known_file(ws, caller, file_id))


@router.get("/v1/files/{file_id}/content")
def content(ws: OpenWorkspace, caller: Asking, file_id: str) -> Response:
    """The bytes of a file, or the measurements of a training."""
    if file_id.startswith(RESULTS):
        training = started_by(ws, caller, file_id.removeprefix(RESULTS))
        return Response(_measurements(ws, caller, training), media_type="text/csv")
    known = known_file(ws, caller, file_id)
    return FileResponse(
        api_fine_tuning.path_of(ws, known), media_type="application/jsonl", filename=known.name
    )


@router.delete("/v1/files/{file_id}")
def delete(ws: OpenWorkspace, caller: Asking, file_id: str) -> Wire:
    """Delete a file."""
    known = known_file(ws, caller, file_id)
    api_fine_tuning.remove_file(ws, caller.actor, known.id)
    return {"id": known.id, "object": "file", "deleted": True}


def known_file(ws: Workspace, caller: Caller, file_id: str, param: str = "id") -> FileRow:
    """The file of the caller's project; 404, or 400 where a job names it, otherwise."""
    with suppress(NotFound):
        file = api_fine_tuning.file(ws, caller.actor, file_id)
        if file.project_id == caller.project_id:
            return file
    code, status = ("not_found", 404) if param == "id" else (f"invalid_{param}", 400)
    raise Refused(f"No such File object: {file_id[:80]}", param=param, code=code, status=status)


def _file(one: FileRow) -> Wire:
    return {
        "id": one.id, "object": "file", "bytes": one.bytes, "created_at": int(one.created_at),
        "filename": one.name, "purpose": one.purpose, "status": "processed",
    }  # fmt: skip


def _results_file(started: Started, size: int) -> Wire:
    job = started.job
    if job.state is not State.DONE:
        raise Refused(f"No such File object: {RESULTS}{job.id}", param="id", status=404)
    return {
        "id": RESULTS + job.id, "object": "file", "bytes": size, "filename": "step_metrics.csv",
        "created_at": int(job.finished_at or job.created_at), "purpose": "fine-tune-results",
        "status": "processed",
    }  # fmt: skip


def _measurements(ws: Workspace, caller: Caller, started: Started) -> str:
    """All numbers of a run by step, as CSV."""
    known = lifecycle.current(lifecycle.watch(ws, caller.actor, started.job.id))
    rows = [(one.step, one.data) for one in known if isinstance(one, MetricEvent)]
    names = list(dict.fromkeys(MEASURES.get(name, name) for _, data in rows for name in data))
    out = io.StringIO()
    table = csv.DictWriter(out, ["step", *names], lineterminator="\n")
    table.writeheader()
    for step, data in rows:
        named = {MEASURES.get(name, name): value for name, value in data.items()}
        table.writerow({"step": step, **named})
    return out.getvalue()


def started_by(ws: Workspace, caller: Caller, job_id: str) -> Started:
    """The training that a program of this project started; 404 otherwise."""
    with suppress(NotFound):
        training = api_fine_tuning.started(ws, caller.actor, job_id)
        if training.job.project_id == caller.project_id:
            return training
    raise Refused(
        f"Could not find fine tune: {job_id[:80]}", param="fine_tuning_job_id",
        code="fine_tune_not_found", status=404,
    )  # fmt: skip
