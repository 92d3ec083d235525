"""Fixes of a dataset version: preview what they change, keep a new version, take it back."""

import shutil
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Row
from engine.core.errors import Conflict, UserError
from engine.core.examples import Example
from engine.core.parsed import ParsedFile
from engine.services import access
from engine.services.data import datasets, staging
from engine.services.data.datasets import Reading
from engine.services.data.usage import Use, uses
from engine.store import datasets as store
from engine.store.connect import reading, writing
from engine.workspace import Workspace

SAMPLES = 5
SYSTEM_PROMPT = "system_prompt"
NAMED = 3  # uses named in a refusal


FixFunction = Callable[[Sequence[Example]], list[Example]]


class Fix(NamedTuple):
    """A fix that can be chosen, and what it does in one sentence."""

    name: str
    does: str


class Sample(NamedTuple):
    """A row before and after; `after` is None where it would be removed."""

    row: int  # number in the file it came from
    before: Example
    after: Example | None


class Change(NamedTuple):
    """What fixes would do; `samples` are the first few rows touched."""

    removed: int
    changed: int
    rows_before: int
    rows_after: int
    samples: list[Sample]


def fixes() -> list[Fix]:
    """Every fix, ours and installed, with what it says it does."""
    documented = [
        (name, plugins.load("fixes", name).__doc__ or name) for name in plugins.names("fixes")
    ]
    return [Fix(name, text.strip().splitlines()[0]) for name, text in documented]


def preview(ws: Workspace, actor: Actor, dataset_id: str, fixes: Sequence[str]) -> Change:
    """What the fixes, one after another, would remove and change; nothing is stored."""
    return _change(datasets.rows(ws, actor, dataset_id), fixes)


def preview_upload(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, fixes: Sequence[str]
) -> Change:
    """The same for an upload that is not kept yet."""
    examples = staging.examples(ws, actor, upload_id, how)
    return _change([Row(index=n, split="train", example=e) for n, e in enumerate(examples)], fixes)


def _change(rows: Sequence[Row], fixes: Sequence[str]) -> Change:
    after = _fixed(rows, fixes)
    touched = [row for row in rows if after.get(row.index) != row.example]
    return Change(
        removed=len(rows) - len(after),
        changed=sum(row.index in after for row in touched),
        rows_before=len(rows),
        rows_after=len(after),
        samples=[
            Sample(row.example.source_row, row.example, after.get(row.index))
            for row in islice(touched, SAMPLES)
        ],
    )


def apply(ws: Workspace, actor: Actor, dataset_id: str, fixes: Sequence[str]) -> Dataset:
    """A new version with the fixes made; rows that stay keep their side of the split."""
    one = datasets.get(ws, actor, dataset_id)
    rows = datasets.load_rows(ws, one)
    after = _fixed(rows, fixes)
    if all(after.get(row.index) == row.example for row in rows):
        raise UserError(f"{one.label} needs none of these fixes.", "Choose others, or none.")
    kept = [
        row.model_copy(update={"example": after[row.index]}) for row in rows if row.index in after
    ]
    return store_version(ws, actor, one, kept, {"mended": one.id, "fixes": list(fixes)})


def store_version(
    ws: Workspace, actor: Actor, one: Dataset, rows: Sequence[Row], origin: dict[str, object]
) -> Dataset:
    """Rows made from version `one` as the next version, each on the side that it names.

    UserError when a side that had rows would have none.
    """
    sides = [row.split for row in rows]
    if "train" not in sides and one.train_rows:
        raise UserError(f"{one.label} would have no training row left.", "Choose fewer fixes.")
    if "held_out" not in sides and one.held_out_rows:
        raise UserError(f"{one.label} would have no held-out row left.", "Choose fewer fixes.")
    parsed = ParsedFile(one.layout, one.kind, [row.example for row in rows], [])
    return datasets.store(
        ws, actor, one.project_id, parsed, one.name, origin, held_out=0, splits=sides
    )


def system_prompt(text: str) -> str:
    """The name of the fix that adds this system prompt to rows that have none."""
    return f"{SYSTEM_PROMPT}:{text.strip()}"


def undo(ws: Workspace, actor: Actor, dataset_id: str) -> Dataset:
    """Remove a mended version that nothing uses, and return the version it was made from."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        one = access.dataset(conn, actor, dataset_id)
        if "mended" not in one.origin:
            raise Conflict(f"{one.label} was not made by fixes.", "There is nothing to undo.")
        earlier = access.dataset(conn, actor, one.origin["mended"])
    remove(ws, actor, dataset_id)
    return earlier


def remove(ws: Workspace, actor: Actor, dataset_id: str) -> None:
    """Remove a version and its rows; Conflict names what uses it."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        one = access.dataset(conn, actor, dataset_id)
        if found := uses(conn, one):
            raise Conflict(
                f"{one.label} is used by {_named(found)}.", "Keep it: their results rest on it."
            )
        store.remove(conn, dataset_id)
    # after the commit: rows without an entry cost room, an entry without rows is an error
    shutil.rmtree(ws.files / one.file, ignore_errors=True)


def _named(found: Sequence[Use]) -> str:
    named = ", ".join(f"the {use.kind} {use.name!r}" for use in found[:NAMED])
    more = len(found) - NAMED
    return named + (f" and {more} more" if more > 0 else "")


def _fixed(rows: Sequence[Row], fixes: Sequence[str]) -> dict[int, Example]:
    """The rows that stay, by their index, after every fix in the order given."""
    if not fixes:
        raise UserError("No fix was chosen.", f"Known: {', '.join(plugins.names('fixes'))}.")
    changes = [_load(name) for name in fixes]
    # a row of the file may hold several examples: while fixes run, the index is the row number
    examples = [row.example.model_copy(update={"source_row": row.index}) for row in rows]
    for change in changes:
        examples = change(examples)
    numbers = {row.index: row.example.source_row for row in rows}
    return {
        e.source_row: e.model_copy(update={"source_row": numbers[e.source_row]}) for e in examples
    }


def _load(name: str) -> FixFunction:
    """The fix of this name, made with what stands after a colon; UserError names the known ones."""
    family, separator, argument = name.partition(":")
    if separator and family in plugins.names("fix_factories"):
        made: FixFunction = plugins.load("fix_factories", family)(argument)
        return made
    known = plugins.names("fixes")
    if name not in known:
        raise UserError(f"There is no fix named {name[:60]!r}.", f"Known: {', '.join(known)}.")
    fix: FixFunction = plugins.load("fixes", name)
    return fix
