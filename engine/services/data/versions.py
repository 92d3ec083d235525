"""Versions of a dataset: what lies between two, and what one was used for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from engine.core.actor import Actor, Role
from engine.core.dataset import Row
from engine.core.normalise import prompt_key
from engine.services import access
from engine.services.data import datasets
from engine.services.data.usage import Use, relatives, uses
from engine.store.connect import reading
from engine.workspace import Workspace

SAMPLES = 5


class Part(NamedTuple):
    """Rows of one sort: how many, and the first few as (older, newer), None where there is none."""

    rows: int
    samples: list[tuple[Row | None, Row | None]]


class Difference(NamedTuple):
    """From the older version to the newer one; a row on another side is also kept or changed."""

    added: Part
    removed: Part
    changed: Part
    kept: Part
    moved_side: Part


def diff(ws: Workspace, actor: Actor, older_id: str, newer_id: str) -> Difference:
    """What is new, gone, changed and on another side of the split.

    Rows are the same by content; changed rows by the same question, and between a version and
    what mending made of it also by their number in the file.
    """
    older = datasets.rows(ws, actor, older_id)
    newer = datasets.rows(ws, actor, newer_id)
    same, gone, new = _match(older, newer, _content)
    changed, gone, new = _match(gone, new, lambda row: prompt_key(row.example))
    with reading(ws.db) as conn:
        related = newer_id in relatives(conn, access.dataset(conn, actor, older_id))
    if related:
        more, gone, new = _match(gone, new, lambda row: str(row.example.source_row))
        changed += more
    return Difference(
        added=_part((None, row) for row in new),
        removed=_part((row, None) for row in gone),
        changed=_part(changed),
        kept=_part(same),
        moved_side=_part((a, b) for a, b in (*same, *changed) if a.split != b.split),
    )


def used_by(ws: Workspace, actor: Actor, dataset_id: str) -> list[Use]:
    """The runs, models, evaluations, rounds, pairs and later versions that rest on this one."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return uses(conn, access.dataset(conn, actor, dataset_id))


def _match(
    older: Sequence[Row], newer: Sequence[Row], key: Callable[[Row], str]
) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """Rows of equal keys paired one to one in their order, and what is left of both."""
    waiting: dict[str, list[Row]] = defaultdict(list)
    for row in reversed(newer):
        waiting[key(row)].append(row)
    paired, gone = [], []
    for row in older:
        if there := waiting[key(row)]:
            paired.append((row, there.pop()))
        else:
            gone.append(row)
    new = [row for left in waiting.values() for row in left]
    return paired, gone, sorted(new, key=lambda row: row.index)


def _content(row: Row) -> str:
    return row.example.model_dump_json(exclude={"source_row"})


def _part(pairs: Iterable[tuple[Row | None, Row | None]]) -> Part:
    everything = list(pairs)
    return Part(len(everything), everything[:SAMPLES])
