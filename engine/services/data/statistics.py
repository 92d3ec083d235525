"""A dataset version in numbers: how long its rows are for a model, who speaks, in what language."""

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from statistics import median

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.checks.row_language import language
from engine.checks.shared import asked_of
from engine.core.actor import Actor
from engine.core.examples import Chat, Example, Preference, Prompt, Text, Unpaired, answers_of
from engine.models.chat_template import Template
from engine.models.template_render import TemplateRefused
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
    dataset = datasets.get(ws, actor, dataset_id)
    with reading(ws.db) as conn:
        model = access.model(conn, actor, model_id)
    template = Template.load(files(ws, model).base, isolated=True)
    every = -(-dataset.rows // MOST_IDENTIFIED) or 1
    lengths, pairs = array("q"), array("q")
    turns, roles, languages = Counter[int](), Counter[str](), Counter[str]()
    examples = (row.example for row in datasets.each_row(ws, dataset))
    for place, (example, prompt, answers) in enumerate(_counted(template, examples)):
        lengths.append(prompt + max(answers))
        if isinstance(example, Preference):
            pairs.extend(answers)
        in_order = _roles(example)
        turns[len(in_order)] += 1
        roles.update(in_order)
        if place % every == 0:
            languages[language(example)] += 1
    return Statistics(
        rows=len(lengths),
        tokens=sum(lengths),
        middle=median(lengths) if lengths else 0.0,
        longest=max(lengths, default=0),
        max_length=max_length,
        truncated=sum(length > max_length for length in lengths),
        lengths=_histogram(lengths),
        turns=dict(sorted(turns.items())),
        roles=dict(roles),
        languages=dict(languages.most_common()),
        language_rows=languages.total(),
        sides=_sides(pairs) if pairs else None,
    )


def _counted(
    template: Template, examples: Iterator[Example]
) -> Iterator[tuple[Example, int, tuple[int, ...]]]:
    """Every row with the tokens of its prompt and of each answer, as training would count them."""
    while chunk := list(islice(examples, CHUNK)):
        rows = [_parts_or_none(template, e) for e in chunk]
        flat = [text for row in rows for part in row for text in part]
        tokens = iter(template.count(flat))
        for example, row in zip(chunk, rows, strict=True):
            prompt, *answers = [sum(next(tokens) for _ in part) for part in row]
            if isinstance(example, Text):  # with a start token and an end of its own
                answers = [len(template.encode(example, 10**9).input_ids)]
            yield example, prompt, tuple(answers) or (0,)


def _parts_or_none(template: Template, example: Example) -> list[list[str]]:
    """The same, without a token for a row that the template does not take."""
    try:
        return _parts(template, example)
    except TemplateRefused:
        return [[], [], []] if isinstance(example, Preference) else [[]]


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


def _histogram(lengths: "array[int]") -> Histogram:
    if not lengths:
        return Histogram(edges=(), counts=())
    width = max(1, -(-(max(lengths) + 1) // BINS))
    edges = np.arange(0, max(lengths) + width + 1, width)
    counts, _ = np.histogram(lengths, edges)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _sides(pairs: "array[int]") -> Sides:
    """Of the tokens of chosen and rejected answers in turn."""
    chosen, rejected = np.array(pairs).reshape(-1, 2).T
    longer = (chosen > rejected) + (chosen == rejected) / 2
    return Sides(
        chosen_mean=float(chosen.mean()),
        rejected_mean=float(rejected.mean()),
        chosen_longer=float(longer.mean()),
    )


def _roles(example: Example) -> list[str]:
    answered = not isinstance(example, Prompt | Text)
    return [*(turn.role for turn in asked_of(example)), *["assistant"] * answered]
