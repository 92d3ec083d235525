"""Parts of an evaluation's rows: by length, by language, by group; and the scores of each."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from engine.checks.row_language import language
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.evaluation import EvaluatedRow, Evaluation
from engine.core.examples import Message, Prompt
from engine.services.data import datasets
from engine.stats.confusion import Confusion, confusion
from engine.stats.intervals import Interval, mean_interval
from engine.stats.slices import Slice, by_slice, thirds
from engine.workspace import Workspace

__all__ = [
    "By",
    "Confusion",
    "Interval",
    "Parts",
    "Slice",
    "bounds",
    "kinds",
    "labels",
    "length",
    "parts",
    "scores",
]

By = Literal["question", "reference", "language", "group"]
Parts = tuple[str | None, ...]

MOST_READ = 2000  # rows whose language is looked at: a millisecond each
MOST_PARTS = 12  # more are named by no table


def parts(ws: Workspace, actor: Actor, found: Evaluation, by: By) -> Parts:
    """The part of each row in its order; None for a row that is in none."""
    actor.require(Role.TRAINER)
    if by == "question":
        return thirds([length(row) for row in found.rows])
    if by == "reference":
        return thirds([len(row.references[0]) for row in found.rows])
    if by == "language":
        texts = tuple("\n".join(m.content for m in row.prompt) for row in found.rows[:MOST_READ])
        return (*_languages(texts), *([None] * (len(found.rows) - len(texts))))
    return _groups(ws, actor, found)


def kinds(ws: Workspace, actor: Actor, found: Evaluation) -> dict[By, Parts]:
    """Every way to part these rows that gives two parts or more, and not too many."""
    ways: tuple[By, ...] = ("question", "reference", "language", "group")
    named = {by: parts(ws, actor, found, by) for by in ways}
    return {by: each for by, each in named.items() if 1 < len(set(each) - {None}) <= MOST_PARTS}


def scores(found: Evaluation, model: str, metric: str, named: Parts) -> tuple[Slice, ...]:
    """The mean of each part by `metric` with its 95 % interval, in the order of the names."""
    each = [row.outputs[model].scores.get(metric) for row in found.rows]
    return by_slice(each, named)


def labels(found: Evaluation, model: str) -> Confusion:
    """How often each label was given where each was right, failed answers left out."""
    outputs = [row.outputs[model] for row in found.rows]
    answers = [None if one.failed else one.text for one in outputs]
    return confusion(answers, [row.references for row in found.rows])


def bounds(scores: Sequence[float]) -> Interval:
    """The 95 % interval of the mean of some rows' scores."""
    return mean_interval(scores)


def length(row: EvaluatedRow) -> int:
    """Characters asked, the system's among them."""
    return sum(len(turn.content) for turn in row.prompt)


def _groups(ws: Workspace, actor: Actor, found: Evaluation) -> Parts:
    try:
        one = datasets.get(ws, actor, found.dataset_id)
        asked = {row.index for row in found.rows}
        known = {
            row.index: row.example.group for row in datasets.each_row(ws, one) if row.index in asked
        }
    except UserError:  # the rows have gone; the evaluation has not
        return (None,) * len(found.rows)
    return tuple(known.get(row.index) for row in found.rows)


@lru_cache(maxsize=4)
def _languages(texts: tuple[str, ...]) -> Sequence[str | None]:
    """Kept, since each look at the same evaluation asks for it again."""
    asked = (Prompt(prompt=(Message(role="user", content=text),)) for text in texts)
    return [language(one) or None for one in asked]
