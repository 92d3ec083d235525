"""Trainings that programs start: a file of rows is handed in, then a model trained on it."""

import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from engine import plugins
from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.dataset import HELD_OUT_SHARE, Dataset, Split
from engine.core.errors import Conflict, NoRoom, NotFound, UserError
from engine.core.job import Job
from engine.core.parsed_file import BrokenRow
from engine.core.recipe import Recipe, read
from engine.formats.read import read_file
from engine.services import access
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.store import api_files
from engine.store.api_files import FileRow, TrainingRow
from engine.store.connect import reading, writing
from engine.workspace import Workspace

FOLDER = "api"  # in the files of the workspace: one file each, named by its id
NAME_LENGTH = 200
PIECE = 2**20
MOST_FILES, MOST_BYTES = 1000, 10 * 2**30  # of a project
FEWEST_ROWS = 10  # as OpenAI has it
LAYOUTS = {"sft": "messages", "dpo": "openai_preference"}


class Started(NamedTuple):
    """A training that a program started, and what it asked for, as JSON."""

    job: Job
    request: str


def add_file(
    ws: Workspace, actor: Actor, project_id: str, name: str, purpose: str, source: BinaryIO
) -> FileRow:
    """Keep a file as it is; UserError where it is too large. Its rows are read by a training.

    Conflict where the project has as many files as it may, or as many bytes of them.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        _check_count(api_files.list_all(conn, project_id))
    folder = ws.files / FOLDER
    folder.mkdir(exist_ok=True)
    file_id = ids.new("file")
    aside, kept = folder / f"{file_id}.part", False
    try:
        size, sha256 = _copy(source, aside)
        new = FileRow(
            id=file_id,
            project_id=project_id,
            name=re.sub(r"[^\w .()+-]", "_", Path(name).name)[:NAME_LENGTH] or "file.jsonl",
            purpose=purpose,
            sha256=sha256,
            created_by=actor.name,
            bytes=size,
            created_at=time.time(),
        )
        aside.rename(folder / file_id)
        with writing(ws.db) as conn:
            access.project(conn, actor, project_id)
            _check_count(api_files.list_all(conn, project_id))
            api_files.add(conn, new)
            kept = True
    except OSError as error:
        raise NoRoom(f"The file can't be kept: {error.strerror}.", "Free some space.") from None
    finally:
        aside.unlink(missing_ok=True)
        if not kept:
            (folder / file_id).unlink(missing_ok=True)
    return new


def files(ws: Workspace, actor: Actor, project_id: str) -> list[FileRow]:
    """The files of a project, newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return api_files.list_all(conn, project_id)


def file(ws: Workspace, actor: Actor, file_id: str) -> FileRow:
    """The file; NotFound otherwise."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        stored = api_files.get(conn, file_id)
    if stored is None or not actor.sees(stored.project_id):
        raise NotFound(f"No such File object: {file_id[:80]}.", "Upload the file first.")
    return stored


def path_of(ws: Workspace, known: FileRow) -> Path:
    """Where a file's bytes lie; NotFound where they have gone."""
    found = ws.files / FOLDER / known.id
    if not found.is_file():
        raise NotFound(f"The bytes of {known.name} have gone.", "Upload the file again.")
    return found


def remove_file(ws: Workspace, actor: Actor, file_id: str) -> None:
    """Delete a file; datasets and models that were made of it stay."""
    known = file(ws, actor, file_id)
    with writing(ws.db) as conn:
        api_files.remove(conn, file_id)
    (ws.files / FOLDER / known.id).unlink(missing_ok=True)


def dataset_of(
    ws: Workspace, actor: Actor, project_id: str, kind: str, training: str, validation: str | None
) -> Dataset:
    """A dataset version of a training file; the rows of a validation file are its held-out ones.

    UserError where the file has another layout than `kind` learns from, a broken row, or fewer
    rows than OpenAI asks for.
    """
    known = file(ws, actor, training)
    layout = LAYOUTS[kind]
    parsed = read_file(path_of(ws, known), known.name, layout)
    _check(known, len(parsed.examples), parsed.broken)
    if validation is None:
        return datasets.store(
            ws,
            actor,
            project_id,
            parsed,
            datasets.stem(known.name),
            {"file": known.id},
            HELD_OUT_SHARE,
        )
    other = file(ws, actor, validation)
    checked = read_file(path_of(ws, other), other.name, layout)
    _check(other, len(checked.examples), checked.broken, fewest=1)
    trained: list[Split] = ["train"]
    held_out: list[Split] = ["held_out"]
    sides = trained * len(parsed.examples) + held_out * len(checked.examples)
    both = [*parsed.examples, *checked.examples]
    numbered = [one.model_copy(update={"source_row": n}) for n, one in enumerate(both, 1)]
    return datasets.store(
        ws, actor, project_id, parsed._replace(examples=numbered), datasets.stem(known.name),
        {"file": known.id, "validation_file": other.id}, 0, splits=sides,
    )  # fmt: skip


def start(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    kind: str,
    values: dict[str, object],
    name: str,
    request: str,
) -> Job:
    """Queue a training of `kind`, and keep what the program asked for beside it."""
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
    recipe: Recipe = read(plugins.load("jobs", kind).Recipe, values)
    job = lifecycle.submit(ws, actor, project_id, recipe, name, request)
    with writing(ws.db) as conn:
        if api_files.training(conn, job.id) is None:
            row = TrainingRow(job.id, project_id, request, job.created_at)
            api_files.add_training(conn, row)
    return job


def started(ws: Workspace, actor: Actor, job_id: str) -> Started:
    """A training that a program started; NotFound for any other job."""
    job = lifecycle.get(ws, actor, job_id)
    with reading(ws.db) as conn:
        row = api_files.training(conn, job_id)
    if row is None:
        raise NotFound(f"Could not find fine tune: {job_id[:80]}.", "List the jobs of this key.")
    return Started(job, row.request)


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Started]:
    """The trainings that programs started in a project, newest first."""
    known = {job.id: job for job in lifecycle.list_all(ws, actor, project_id)}
    with reading(ws.db) as conn:
        rows = api_files.trainings(conn, project_id)
    return [Started(known[row.job_id], row.request) for row in rows if row.job_id in known]


def _check_count(known: list[FileRow]) -> None:
    if len(known) >= MOST_FILES:
        raise Conflict(f"The project has {MOST_FILES} files already.", "Delete some of them.")
    if sum(one.bytes for one in known) >= MOST_BYTES:
        raise Conflict(
            f"The files of the project take {MOST_BYTES // 2**30} GB.", "Delete some of them."
        )


def _copy(source: BinaryIO, to: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with to.open("xb") as out:
        os.chmod(to, 0o600)
        while piece := source.read(PIECE):
            size += len(piece)
            if size > datasets.MAX_BYTES:
                raise UserError(
                    f"The file is larger than {datasets.MAX_BYTES // 2**20} MB.", "Split it."
                )
            digest.update(piece)
            out.write(piece)
    if shutil.disk_usage(to.parent).free < PIECE:
        raise NoRoom("The disk is full, so the file was not kept.", "Free some space.")
    return size, digest.hexdigest()


def _check(known: FileRow, rows: int, broken: list[BrokenRow], fewest: int = FEWEST_ROWS) -> None:
    if broken:
        first = broken[0]
        raise UserError(
            f"Invalid file format. {known.name}, row {first.row}: {first.reason}.",
            "Correct the file and upload it again.",
        )
    if rows < fewest:
        raise UserError(
            f"{known.name} has {rows} example(s), but must have at least {fewest} examples.",
            "Add rows and upload it again.",
        )
