"""Questions on both sides of a test: a model that has seen them looks better than it is.

    train      rows that an evaluated version holds out, or that a blind round asks
    held out   rows that another version trains on, or whose rated answers become training pairs

Questions are equal without case, spacing and system messages. Versions that mending made of one
another share rows by nature and count as training only once a model was trained on them.
"""

from array import array
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core.actor import Actor
from engine.core.dataset import Dataset, Row, Split
from engine.core.errors import UserError
from engine.core.examples import prompt_of
from engine.core.normalise import question_mark
from engine.services.data import cleaning, datasets
from engine.services.data.usage import relatives
from engine.store import datasets as versions
from engine.store import evaluations, models, rounds
from engine.store.connect import reading
from engine.workspace import Workspace

OverlapKind = Literal["evaluation", "blind round", "training", "rating round"]
Marks = NDArray[np.uint64]
EMPTY = np.array([], np.uint64)
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
    """The questions of something else in the project, as marks."""

    kind: OverlapKind
    id: str
    name: str
    questions: Marks


class _Own(NamedTuple):
    """The rows of the version that is looked at: their questions, sides, numbers in the file."""

    questions: Marks
    sides: list[Split]
    numbers: NDArray[np.int64]

    def shared(self, side: Split, others: Marks) -> NDArray[np.bool_]:
        """Which rows on this side ask a question of the others."""
        there = np.array([each == side for each in self.sides], bool)
        found: NDArray[np.bool_] = there & np.isin(self.questions, others)
        return found


def overlaps(ws: Workspace, actor: Actor, dataset_id: str) -> list[SplitOverlap]:
    """Where the version shares questions with tests and training of its project, the most first."""
    dataset = datasets.get(ws, actor, dataset_id)
    own = _own(ws, dataset)
    found = []
    for other in _others(ws, dataset):
        side: Split = "train" if other.kind in FORBIDDEN_BY["train"] else "held_out"
        shared = own.numbers[own.shared(side, other.questions)]
        if len(shared):
            found.append(
                SplitOverlap(
                    kind=other.kind,
                    other_id=other.id,
                    other=other.name,
                    side=side,
                    count=len(shared),
                    rows=tuple(np.sort(shared)[:SHOWN].tolist()),
                )
            )
    return sorted(found, key=lambda overlap: -overlap.count)


def without_overlap(
    ws: Workspace, actor: Actor, dataset_id: str, how: Literal["drop", "move"] = "drop"
) -> Dataset:
    """A new version whose overlapping rows are left out, or stand on the other side.

    A row that would overlap on the other side too is left out in either case.
    """
    dataset = datasets.get(ws, actor, dataset_id)
    own, others = _own(ws, dataset), _others(ws, dataset)
    seen = {
        side: np.isin(
            own.questions,
            np.concatenate([EMPTY, *(o.questions for o in others if o.kind in kinds)]),
        ).tolist()
        for side, kinds in FORBIDDEN_BY.items()
    }
    placed = [_side(side, place, seen, how) for place, side in enumerate(own.sides)]
    if placed == own.sides:
        raise UserError(
            f"{dataset.label} shares no question with a test.", "Nothing has to be changed."
        )
    places = [place for place, side in enumerate(placed) if side]
    origin = cleaning.changed_from(dataset, [f"{how}_overlap"])
    return cleaning.store_version(
        ws, actor, dataset, places, [side for side in placed if side], origin
    )


def _side(side: Split, place: int, seen: dict[Split, list[bool]], how: str) -> Split | None:
    """Where a row goes; None where it is left out."""
    if not seen[side][place]:
        return side
    other: Split = "held_out" if side == "train" else "train"
    return None if how == "drop" or seen[other][place] else other


def _own(ws: Workspace, one: Dataset) -> _Own:
    questions, numbers = array("Q"), array("q")
    for row in datasets.each_row(ws, one):
        questions.append(_question(row))
        numbers.append(row.example.source_row)
    return _Own(
        np.array(questions, np.uint64), datasets.splits_of(ws, one), np.array(numbers, np.int64)
    )


def _others(ws: Workspace, one: Dataset) -> list[_Questions]:
    with reading(ws.db) as conn:
        everything = versions.list_all(conn, one.project_id)
        tested = {e.dataset_id for e in evaluations.list_all(conn, one.project_id)}
        trained = {
            each for m in models.list_all(conn, one.project_id) for each in m.learned_datasets
        }
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
            _marks(question_mark(pair.prompt) for pair in rounds.comparisons(conn, one.id)),
        )
        for one in rounds.list_all(conn, project_id)
    ]


def _question_sets(
    ws: Workspace, kind: OverlapKind, other: Dataset, split: Split | None
) -> _Questions:
    questions = _marks(map(_question, datasets.each_row(ws, other, split)))
    return _Questions(kind, other.id, other.label, questions)


def _marks(found: Iterable[int]) -> Marks:
    return np.unique(np.fromiter(found, np.uint64))


def _question(row: Row) -> int:
    return question_mark(prompt_of(row.example))
