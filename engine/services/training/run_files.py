"""A finished training as files of other programs: written to a folder, or packed for a download."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.export import ExportedFile
from engine.core.job import Job, State
from engine.core.job_result import training_result
from engine.core.recipe import ReplayRecipe, TrainRecipe
from engine.files import checked_new_folder, new_folder
from engine.methods.training_rows import EncodedRow
from engine.models import origin
from engine.models.chat_template import Template
from engine.recipe_files.run import METHODS, ExportedRun, Part, encoder
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.zip_stream import zipped
from engine.workspace import Workspace

FAMILY = "recipe_targets"


class WrittenRun(NamedTuple):
    """The files of a folder in the order of their names, and what differs from the run."""

    files: tuple[ExportedFile, ...]
    notes: tuple[str, ...]


def fits(job: Job) -> bool:
    """Whether this job can leave: a training that is done, by a method that others know."""
    return job.state is State.DONE and job.kind in METHODS


def targets() -> list[tuple[str, str, str]]:
    """(name, title, summary) of every target, in the order in which they are shown."""
    loaded = [(name, plugins.load(FAMILY, name)) for name in plugins.names(FAMILY)]
    return [(name, one.TITLE, one.SUMMARY) for name, one in loaded]


def write(ws: Workspace, actor: Actor, job_id: str, to: str, out: Path) -> WrittenRun:
    """The run in the new folder `out`, which is whole or not there."""
    checked_new_folder(out)
    run, target = finished(ws, actor, job_id), plugins.load(FAMILY, to)
    with new_folder(out) as aside:
        made = tuple(_written(aside, name, pieces) for name, pieces in target.files(run))
    return WrittenRun(tuple(sorted(made, key=lambda file: file.name)), tuple(target.notes(run)))


def packed(ws: Workspace, actor: Actor, job_id: str, to: str) -> Iterator[bytes]:
    """The same as a ZIP archive, piece by piece, made while it is read.

    What can be refused is refused before the first piece.
    """
    run, target = finished(ws, actor, job_id), plugins.load(FAMILY, to)
    parts = target.files(run)
    first = next(parts)
    return zipped(_again(first, parts))


def finished(ws: Workspace, actor: Actor, job_id: str) -> ExportedRun:
    """The run; UserError for a job that is no finished training by SFT or DPO."""
    actor.require(Role.TRAINER)
    job = lifecycle.get(ws, actor, job_id)
    if job.state is not State.DONE:
        raise UserError(f"{job.name} is no finished training.", "Wait until it is done.")
    recipe = lifecycle.recipe_of(job)
    if job.kind not in METHODS or not isinstance(recipe, TrainRecipe):
        known = " and ".join(one.upper() for one in METHODS)
        raise UserError(
            f"{job.name} is no training that other programs repeat.", f"Choose a run by {known}."
        )
    if "plackett_luce" in getattr(recipe, "loss_type", ()):
        raise UserError(
            f"{job.name} learned rankings as lists (plackett_luce), which no other program does.",
            "Train it with the loss sigmoid to take the run along.",
        )
    files = registry.files(ws, registry.get(ws, actor, recipe.model))
    dataset = datasets.get(ws, actor, recipe.dataset)
    encode = plugins.load("jobs", job.kind).encode_row
    template = Template.load(files.base, isolated=True)
    return ExportedRun(
        name=job.name,
        recipe=recipe,
        result=training_result(job.result),
        dataset=dataset,
        base=origin.of_base(files.base),
        base_folder=files.base,
        start=files.adapter,
        start_name=files.model.name if files.adapter else "",
        rows=lambda split: (row.example for row in datasets.each_row(ws, dataset, split)),
        encode=encoder(encode, template, recipe),
        **_replayed(ws, actor, recipe, template),
    )


class _Replayed(TypedDict, total=False):
    """What a run that replayed examples has more."""

    replayed: Callable[[], Iterator[Example]]
    encode_replayed: Callable[[Example], EncodedRow]


def _replayed(ws: Workspace, actor: Actor, recipe: TrainRecipe, template: Template) -> _Replayed:
    if not isinstance(recipe, ReplayRecipe) or not recipe.replay_rows or not recipe.replay_dataset:
        return {}
    dataset = datasets.get(ws, actor, recipe.replay_dataset)
    return {
        "replayed": lambda: (row.example for row in datasets.each_row(ws, dataset, "train")),
        "encode_replayed": encoder(plugins.load("jobs", "sft").encode_row, template, recipe),
    }


def _again(first: Part, rest: Iterator[Part]) -> Iterator[Part]:
    yield first
    yield from rest


def _written(folder: Path, name: str, pieces: Iterable[bytes]) -> ExportedFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return ExportedFile(name=name, bytes=size, sha256=digest.hexdigest())
