"""Versions of a dataset: what lies between two, and what one was used for."""

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.services import access
from engine.services.data import datasets, row_process
from engine.services.data.usage import Use, relatives, uses
from engine.services.data.version_diff import CompareRows, VersionFiles
from engine.services.data.version_diff import Difference as Difference
from engine.services.data.version_diff import Part as Part
from engine.store.connect import reading
from engine.workspace import Workspace


def diff(ws: Workspace, actor: Actor, older_id: str, newer_id: str) -> Difference:
    """What is new, gone, changed and on another side of the split.

    Rows are the same by content; changed rows by the same question, and between a version and
    what fixes made of it also by their number in the file. UserError when rows have gone.
    """
    older, newer = (datasets.get(ws, actor, each) for each in (older_id, newer_id))
    with reading(ws.db) as conn:
        related = newer.id in relatives(conn, older)
    task = CompareRows(older=_files(ws, older), newer=_files(ws, newer), related=related)
    larger = max((older, newer), key=lambda one: datasets.size_of(ws, one))
    return row_process.run(task, datasets.row_file(ws, larger).path, larger.label)


def _files(ws: Workspace, one: Dataset) -> VersionFiles:
    return VersionFiles(rows=datasets.row_file(ws, one), sides=datasets.sides_file(ws, one))


def used_by(ws: Workspace, actor: Actor, dataset_id: str) -> list[Use]:
    """The runs, models, evaluations, rounds, pairs and later versions that rest on this one."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return uses(conn, access.dataset(conn, actor, dataset_id))
