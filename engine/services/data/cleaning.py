"""Fixes of a dataset version: preview what they change, keep a new version, take it back."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Origin, Split
from engine.core.errors import Conflict
from engine.services import access
from engine.services.data import datasets, row_process, staging
from engine.services.data.prepared_rows import (
    EXAMPLES,
    KEPT,
    FixedRows,
    FixRows,
    PickRows,
    Reading,
    load_fixes,
)
from engine.services.data.prepared_rows import Change as Change
from engine.services.data.prepared_rows import Sample as Sample
from engine.services.data.usage import Use, uses
from engine.store import datasets as store
from engine.store.connect import reading, writing
from engine.workspace import Workspace

SYSTEM_PROMPT = "system_prompt"
NAMED = 3  # uses named in a refusal


class Fix(NamedTuple):
    """A fix that can be chosen, and what it does in one sentence."""

    name: str
    does: str


def fixes() -> list[Fix]:
    """Every fix, ours and installed, with what it says it does."""
    documented = [
        (name, plugins.load("fixes", name).__doc__ or name) for name in plugins.names("fixes")
    ]
    return [Fix(name, text.strip().splitlines()[0]) for name, text in documented]


def preview(ws: Workspace, actor: Actor, dataset_id: str, fixes: Sequence[str]) -> Change:
    """What the fixes, one after another, would remove and change; nothing is stored."""
    dataset = datasets.get(ws, actor, dataset_id)
    with datasets.scratch(ws) as aside:
        return _fixed(ws, dataset, fixes, aside).change


def preview_upload(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, fixes: Sequence[str]
) -> Change:
    """The same for an upload that is not kept yet; the fixed rows are staged for `staging.add`."""
    return staging.fix(ws, actor, upload_id, how, fixes).change


def apply(ws: Workspace, actor: Actor, dataset_id: str, fixes: Sequence[str]) -> Dataset:
    """A new version with the fixes made; rows that stay keep their side of the split."""
    dataset = datasets.get(ws, actor, dataset_id)
    with datasets.scratch(ws) as aside:
        fixed = _fixed(ws, dataset, fixes, aside)
        datasets.refuse_unchanged(fixed.change, dataset.label)
        places = np.load(aside / KEPT, allow_pickle=False).tolist()
        sides = datasets.sides_after(datasets.splits_of(ws, dataset), places, dataset.label)
        origin = changed_from(dataset, fixes)
        return datasets.store_file(
            ws,
            actor,
            dataset.project_id,
            fixed.checked,
            aside / EXAMPLES,
            dataset.name,
            origin,
            sides,
        )


def changed_from(one: Dataset, fixes: Sequence[str]) -> Origin:
    """Where a version comes from that `fixes` made of `one`; what is traffic stays traffic."""
    traffic = {"feedback": one.origin["feedback"]} if one.from_traffic else {}
    return {"mended": one.id, "fixes": list(fixes), **traffic}


def _fixed(ws: Workspace, one: Dataset, fixes: Sequence[str], folder: Path) -> FixedRows:
    """The rows of a version after fixes, in the folder."""
    load_fixes(fixes)
    rows = datasets.row_file(ws, one)
    rows.size()  # refuses where they have gone
    task = FixRows(rows=rows, layout=one.layout, kind=one.kind, fixes=tuple(fixes), folder=folder)
    return row_process.run(task, rows.path, one.label)


def store_version(
    ws: Workspace,
    actor: Actor,
    one: Dataset,
    places: Sequence[int],
    sides: list[Split],
    origin: Origin,
) -> Dataset:
    """The rows at these places of version `one` as the next version, each on the side named.

    NotFound for a version of another project, UserError when a side that had rows would have none.
    """
    one = datasets.get(ws, actor, one.id)  # asks who may see it, before anything is read
    datasets.refuse_empty_side(datasets.splits_of(ws, one), sides, one.label)
    rows = datasets.row_file(ws, one)
    with datasets.scratch(ws) as aside:
        np.save(aside / KEPT, np.array(places, np.int64))
        task = PickRows(
            rows=rows, layout=one.layout, kind=one.kind, places=aside / KEPT, folder=aside
        )
        checked = row_process.run(task, rows.path, one.label)
        return datasets.store_file(
            ws, actor, one.project_id, checked, aside / EXAMPLES, one.name, origin, sides
        )


def system_prompt(text: str) -> str:
    """The name of the fix that adds this system prompt to rows that have none."""
    return f"{SYSTEM_PROMPT}:{text.strip()}"


def undo(ws: Workspace, actor: Actor, dataset_id: str) -> Dataset:
    """Remove a mended version that nothing uses, and return the version it was made from."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        dataset = access.dataset(conn, actor, dataset_id)
        if "mended" not in dataset.origin:
            raise Conflict(f"{dataset.label} was not made by fixes.", "There is nothing to undo.")
        earlier = access.dataset(conn, actor, dataset.origin["mended"])
    remove(ws, actor, dataset_id)
    return earlier


def remove(ws: Workspace, actor: Actor, dataset_id: str) -> None:
    """Remove a version and its rows; Conflict names what uses it."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        dataset = access.dataset(conn, actor, dataset_id)
        if found := uses(conn, dataset):
            raise Conflict(
                f"{dataset.label} is used by {_named(found)}.", "Keep it: their results rest on it."
            )
        store.remove(conn, dataset_id)
    # after the commit: rows without an entry cost room, an entry without rows is an error
    shutil.rmtree(ws.files / dataset.file, ignore_errors=True)


def _named(found: Sequence[Use]) -> str:
    named = ", ".join(f"the {use.kind} {use.name!r}" for use in found[:NAMED])
    more = len(found) - NAMED
    return named + (f" and {more} more" if more > 0 else "")
