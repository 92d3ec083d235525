"""Slices of the rows of an evaluation, by length, language or group, and the scores of each."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from engine.checks.row_language import language
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.evaluation import EvaluatedRow, Evaluation
from engine.core.examples import Message, Prompt
from engine.services.data import datasets
from engine.stats.confusion import Confusion, confusion
from engine.stats.intervals import mean_interval
from engine.stats.slices import Slice, by_size, by_slice, thirds
from engine.workspace import Workspace

__all__ = [
    "By",
    "Confusion",
    "Slice",
    "Slicing",
    "labels",
    "length",
    "mean_interval",
    "scores",
    "slicing",
    "slicings",
]

By = Literal["question", "reference", "language", "group"]


class Slicing(NamedTuple):
    """The slice of each row, None for a row that is in none; all slices as they are shown."""

    slice_of_row: tuple[str | None, ...] = ()
    order: tuple[str, ...] = ()  # short before long, else by the alphabet


MOST_READ = 2000  # rows whose language is looked at: a millisecond each
MOST_SLICES = 12  # more are named by no table


def slicing(ws: Workspace, actor: Actor, evaluation: Evaluation, by: By) -> Slicing:
    """The rows of an evaluation, sliced in this way."""
    actor.require(Role.TRAINER)
    if by == "question":
        return _by_size([length(row) for row in evaluation.rows])
    if by == "reference":
        return _by_size([len(row.references[0]) for row in evaluation.rows])
    if by == "language":
        texts = tuple(
            "\n".join(m.content for m in row.prompt) for row in evaluation.rows[:MOST_READ]
        )
        return _by_name((*_languages(texts), *([None] * (len(evaluation.rows) - len(texts)))))
    return _by_name(_groups(ws, actor, evaluation))


def slicings(ws: Workspace, actor: Actor, evaluation: Evaluation) -> dict[By, Slicing]:
    """Every way to slice these rows that gives two slices or more, and not too many."""
    ways: tuple[By, ...] = ("question", "reference", "language", "group")
    sliced = {by: slicing(ws, actor, evaluation, by) for by in ways}
    return {by: each for by, each in sliced.items() if 1 < len(each.order) <= MOST_SLICES}


def scores(evaluation: Evaluation, model: str, metric: str, sliced: Slicing) -> tuple[Slice, ...]:
    """The mean of each slice by `metric` with its 95 % interval, in the order of the slices."""
    each = [row.outputs[model].scores.get(metric) for row in evaluation.rows]
    return by_slice(each, sliced.slice_of_row, order=sliced.order)


def labels(evaluation: Evaluation, model: str) -> Confusion:
    """How often each label was given where each was right, failed answers left out."""
    outputs = [row.outputs[model] for row in evaluation.rows]
    answers = [None if one.failed else one.text for one in outputs]
    return confusion(answers, [row.references for row in evaluation.rows])


def length(row: EvaluatedRow) -> int:
    """Characters asked, the system's among them."""
    return sum(len(turn.content) for turn in row.prompt)


def _by_size(sizes: Sequence[int]) -> Slicing:
    slice_of_row = thirds(sizes)
    return Slicing(slice_of_row, by_size(sizes, slice_of_row))


def _by_name(slice_of_row: tuple[str | None, ...]) -> Slicing:
    return Slicing(slice_of_row, tuple(sorted({each for each in slice_of_row if each})))


def _groups(ws: Workspace, actor: Actor, evaluation: Evaluation) -> tuple[str | None, ...]:
    try:
        dataset = datasets.get(ws, actor, evaluation.dataset_id)
        asked = {row.index for row in evaluation.rows}
        known = {
            row.index: row.example.group
            for row in datasets.each_row(ws, dataset)
            if row.index in asked
        }
    except UserError:  # the rows have gone; the evaluation has not
        return (None,) * len(evaluation.rows)
    return tuple(known.get(row.index) for row in evaluation.rows)


@lru_cache(maxsize=4)
def _languages(texts: tuple[str, ...]) -> Sequence[str | None]:
    """Kept, since each look at the same evaluation asks for it again."""
    asked = (Prompt(prompt=(Message(role="user", content=text),)) for text in texts)
    return [language(one) or None for one in asked]
