"""A dataset version in numbers: how long its rows are for a model, who speaks, in what language."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean, median

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.checks.parts import asked_of
from engine.checks.spoken import language
from engine.core.actor import Actor
from engine.core.examples import Chat, Example, Preference, Prompt, Text, Unpaired, answers_of
from engine.models.chat import Template
from engine.services import access
from engine.services.data import datasets
from engine.services.models.registry import files
from engine.store.connect import reading
from engine.workspace import Workspace

CHUNK = 256  # rows tokenised at once: bounds the memory, and more is no faster
BINS = 30
MOST_IDENTIFIED = 2000  # rows whose language is looked at, taken evenly


class Histogram(BaseModel):
    """`counts[i]` rows are from `edges[i]` up to below `edges[i + 1]` tokens long."""

    model_config = ConfigDict(frozen=True)

    edges: tuple[int, ...]
    counts: tuple[int, ...]


class Sides(BaseModel):
    """Lengths of the two answers of pairs, in tokens: a judge who likes length shows here."""

    model_config = ConfigDict(frozen=True)

    chosen_mean: float
    rejected_mean: float
    chosen_longer: float  # share of the pairs; ties count half


class Statistics(BaseModel):
    """Token counts are of whole rows, uncut; of a pair, the prompt and its longer answer."""

    model_config = ConfigDict(frozen=True)

    rows: int
    tokens: int
    middle: float
    longest: int
    max_length: int
    truncated: int  # rows longer than max_length
    lengths: Histogram
    turns: dict[int, int]  # turns of a row, its answer counted -> rows
    roles: dict[str, int]  # speaker -> turns
    languages: dict[str, int]  # ISO 639 code -> rows; "" where a row is too short to tell
    language_rows: int  # rows whose language was looked at
    sides: Sides | None = None  # of pairs only


def statistics(
    ws: Workspace, actor: Actor, dataset_id: str, model_id: str, max_length: int = 512
) -> Statistics:
    """The numbers of all rows of a version as `model_id` reads them."""
    examples = [row.example for row in datasets.rows(ws, actor, dataset_id)]
    with reading(ws.db) as conn:
        model = access.model(conn, actor, model_id)
    counted = list(_counted(Template.load(files(ws, model).base, isolated=True), examples))
    lengths = [prompt + max(answers) for prompt, answers in counted]
    identified = examples[:: -(-len(examples) // MOST_IDENTIFIED) or 1]
    pairs = [a for e, (_, a) in zip(examples, counted, strict=True) if isinstance(e, Preference)]
    return Statistics(
        rows=len(examples),
        tokens=sum(lengths),
        middle=median(lengths) if lengths else 0.0,
        longest=max(lengths, default=0),
        max_length=max_length,
        truncated=sum(length > max_length for length in lengths),
        lengths=_histogram(lengths),
        turns=dict(sorted(Counter(map(_turns, examples)).items())),
        roles=dict(Counter(role for e in examples for role in _roles(e))),
        languages=dict(Counter(map(language, identified)).most_common()),
        language_rows=len(identified),
        sides=_sides(pairs) if pairs else None,
    )


def _counted(
    template: Template, examples: Sequence[Example]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Tokens of the prompt and of each answer of every row, as training would count them."""
    for start in range(0, len(examples), CHUNK):
        rows = [_parts(template, e) for e in examples[start : start + CHUNK]]
        flat = [text for row in rows for part in row for text in part]
        tokens = iter(template.count(flat))
        for example, row in zip(examples[start : start + CHUNK], rows, strict=True):
            prompt, *answers = [sum(next(tokens) for _ in part) for part in row]
            if isinstance(example, Text):  # with a start token and an end of its own
                answers = [len(template.encode(example, 10**9).input_ids)]
            yield prompt, tuple(answers) or (0,)


def _parts(template: Template, example: Example) -> list[list[str]]:
    """The texts of the prompt, then those of each answer."""
    match example:
        case Prompt():
            return [template.cut_apart(example.prompt, "")[0]]
        case Chat() | Unpaired():
            (answer,) = answers_of(example)
            return list(template.cut_apart(example.prompt, answer))
        case Preference():
            prompt, chosen = template.cut_apart(example.prompt, example.chosen)
            # of a pair, what the template writes after an answer is not learned
            return [prompt, chosen[:1], template.cut_apart(example.prompt, example.rejected)[1][:1]]
        case Text():
            return [[]]


def _histogram(lengths: list[int]) -> Histogram:
    if not lengths:
        return Histogram(edges=(), counts=())
    width = max(1, -(-(max(lengths) + 1) // BINS))
    edges = np.arange(0, max(lengths) + width + 1, width)
    counts, _ = np.histogram(lengths, edges)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _sides(pairs: Sequence[tuple[int, ...]]) -> Sides:
    return Sides(
        chosen_mean=fmean(chosen for chosen, _ in pairs),
        rejected_mean=fmean(rejected for _, rejected in pairs),
        chosen_longer=fmean(
            (chosen > rejected) + (chosen == rejected) / 2 for chosen, rejected in pairs
        ),
    )


def _turns(example: Example) -> int:
    return len(_roles(example))


def _roles(example: Example) -> list[str]:
    answered = not isinstance(example, Prompt | Text)
    return [*(turn.role for turn in asked_of(example)), *["assistant"] * answered]
