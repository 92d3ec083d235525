"""Questions on both sides of a test: a model that has seen them looks better than it is.

    train      rows that an evaluated version holds out, or that a blind round asks
    held out   rows that another version trains on, or whose rated answers become training pairs

Questions are equal without case, spacing and system messages. Versions that mending made of one
another share rows by nature and count as training only once a model was trained on them.
"""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core.actor import Actor
from engine.core.dataset import Dataset, Row, Split
from engine.core.errors import UserError
from engine.core.examples import prompt_of
from engine.core.normalise import question_key
from engine.services.data import cleaning, datasets
from engine.services.data.usage import relatives
from engine.store import datasets as versions
from engine.store import evaluations, models, rounds
from engine.store.connect import reading
from engine.workspace import Workspace

OverlapKind = Literal["evaluation", "blind round", "training", "rating round"]
SHOWN = 20  # row numbers of an overlap
FORBIDDEN_BY: dict[Split, tuple[OverlapKind, ...]] = {
    "train": ("evaluation", "blind round"),
    "held_out": ("training", "rating round"),
}


class SplitOverlap(BaseModel):
    """Rows on `side` of a version whose question `other` asks too."""

    model_config = ConfigDict(frozen=True)

    kind: OverlapKind
    other_id: str
    other: str
    side: Split
    count: int
    rows: tuple[int, ...]  # numbers in the file, the first 20


class _Questions(NamedTuple):
    """The questions of something else in the project."""

    kind: OverlapKind
    id: str
    name: str
    questions: set[str]


def overlaps(ws: Workspace, actor: Actor, dataset_id: str) -> list[SplitOverlap]:
    """Where the version shares questions with tests and training of its project, the most first."""
    one = datasets.get(ws, actor, dataset_id)
    rows = datasets.load_rows(ws, one)
    found = []
    for other in _others(ws, one):
        side: Split = "train" if other.kind in FORBIDDEN_BY["train"] else "held_out"
        shared = [r for r in rows if r.split == side and _question(r) in other.questions]
        if shared:
            found.append(
                SplitOverlap(
                    kind=other.kind,
                    other_id=other.id,
                    other=other.name,
                    side=side,
                    count=len(shared),
                    rows=tuple(sorted(row.example.source_row for row in shared)[:SHOWN]),
                )
            )
    return sorted(found, key=lambda overlap: -overlap.count)


def without_overlap(
    ws: Workspace, actor: Actor, dataset_id: str, how: Literal["drop", "move"] = "drop"
) -> Dataset:
    """A new version whose overlapping rows are left out, or stand on the other side.

    A row that would overlap on the other side too is left out in either case.
    """
    one = datasets.get(ws, actor, dataset_id)
    rows = datasets.load_rows(ws, one)
    others = _others(ws, one)
    seen: dict[Split, set[str]] = {
        side: {q for other in others if other.kind in kinds for q in other.questions}
        for side, kinds in FORBIDDEN_BY.items()
    }
    kept = [new for row in rows for new in _placed(row, seen, how)]
    if kept == rows:
        raise UserError(
            f"{one.label} shares no question with a test.", "Nothing has to be changed."
        )
    return cleaning.store_version(
        ws, actor, one, kept, {"mended": one.id, "fixes": [f"{how}_overlap"]}
    )


def _placed(row: Row, seen: dict[Split, set[str]], how: str) -> list[Row]:
    question = _question(row)
    if question not in seen[row.split]:
        return [row]
    other: Split = "held_out" if row.split == "train" else "train"
    if how == "drop" or question in seen[other]:
        return []
    return [row.model_copy(update={"split": other})]


def _others(ws: Workspace, one: Dataset) -> list[_Questions]:
    with reading(ws.db) as conn:
        everything = versions.list_all(conn, one.project_id)
        tested = {e.dataset_id for e in evaluations.list_all(conn, one.project_id)}
        trained = {m.dataset_id for m in models.list_all(conn, one.project_id)}
        untrained_relatives = relatives(conn, one) - trained
        found = _rounds(conn, one.project_id)
    for other in everything:
        if other.id == one.id:
            continue
        if other.id in tested:
            split: Split | None = "held_out" if other.held_out_rows else None
            found.append(_question_sets(ws, "evaluation", other, split))
        if other.train_rows and other.id not in untrained_relatives:
            found.append(_question_sets(ws, "training", other, "train"))
    return found


def _rounds(conn: Connection, project_id: str) -> list[_Questions]:
    return [
        _Questions(
            "blind round" if one.blind else "rating round",
            one.id,
            one.name,
            {question_key(pair.prompt) for pair in rounds.comparisons(conn, one.id)},
        )
        for one in rounds.list_all(conn, project_id)
    ]


def _question_sets(
    ws: Workspace, kind: OverlapKind, other: Dataset, split: Split | None
) -> _Questions:
    questions = set(map(_question, datasets.load_rows(ws, other, split)))
    return _Questions(kind, other.id, other.label, questions)


def _question(row: Row) -> str:
    return question_key(prompt_of(row.example))
