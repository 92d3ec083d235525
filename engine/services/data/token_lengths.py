"""How long the rows of a dataset are in a model's tokens: a sample, measured once."""

from functools import lru_cache
from itertools import islice, takewhile
from math import ceil
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.examples import (
    EXAMPLE_ADAPTER,
    Chat,
    Example,
    Kind,
    Message,
    Preference,
    Prompt,
    Text,
    Unpaired,
)
from engine.models.chat_template import Template
from engine.models.template_render import TemplateRefused
from engine.workspace import Workspace

MOST = 200  # rows: more hardly moves the mean, and these are read while somebody waits
MOST_BYTES = 600_000  # of them together
LONG = 100_000  # bytes of a row that is not read any more
BYTES_A_TOKEN = 4  # of such a row, about


class RowTokens(NamedTuple):
    """Tokens of a row, uncut; a text is learned in blocks, and of a pair both answers count."""

    prompt: int
    answers: tuple[int, ...]
    blocks: bool = False


class Lengths(NamedTuple):
    """Of the sampled rows after the cut: tokens in all, of the longest, and the share uncut."""

    mean: float  # tokens that a row makes the model read, both sides of a pair
    longest: int
    whole: float
    blocks: float  # rows of the trainer for each row of the data


def measure(ws: Workspace, dataset: Dataset, base: Path) -> tuple[RowTokens, ...]:
    """Rows taken evenly, and the longest one; a version never changes, so they are measured once.

    UserError when the files of the dataset have gone.
    """
    tokenizer = base / "tokenizer.json"
    changed = tokenizer.stat().st_mtime if tokenizer.is_file() else 0.0
    file = ws.files / dataset.file / "rows.jsonl"
    return _measured(file, dataset.label, dataset.kind, base, changed)


def written(rows: tuple[RowTokens, ...], answer: int) -> tuple[RowTokens, ...]:
    """The rows of a method that writes its own answers, of up to `answer` tokens."""
    return tuple(RowTokens(row.prompt, (answer,)) for row in rows)


def cut(rows: tuple[RowTokens, ...], max_length: int) -> Lengths:
    """What a training at `max_length` makes of them."""
    lengths = [[min(max_length, row.prompt + answer) for answer in row.answers] for row in rows]
    uncut = [row.prompt + max(row.answers) for row in rows]
    blocks = [
        ceil(whole / max_length) if row.blocks else 1
        for row, whole in zip(rows, uncut, strict=True)
    ]
    taken = [
        float(whole) if row.blocks else sum(each)
        for row, whole, each in zip(rows, uncut, lengths, strict=True)
    ]
    kept = [row.blocks or whole <= max_length for row, whole in zip(rows, uncut, strict=True)]
    return Lengths(
        mean=sum(taken) / sum(blocks),
        longest=max(map(max, lengths)),
        whole=sum(kept) / len(rows),
        blocks=sum(blocks) / len(rows),
    )


@lru_cache(64)
def _measured(
    file: Path, label: str, kind: Kind, base: Path, _changed: float
) -> tuple[RowTokens, ...]:
    try:
        lines = file.read_bytes().splitlines()
        template = Template.load(base, isolated=True)
        measured = [
            _row_or_none(template, EXAMPLE_ADAPTER.validate_json(line))
            if len(line) <= LONG
            else _long(line, kind)
            for line in _picked(lines)
        ]
    except (OSError, ValidationError):
        raise UserError(
            f"The rows of {label} are not in the data folder.", "Add the file again."
        ) from None
    if not measured:
        raise UserError(f"{label} holds no rows.", "Choose another dataset.")
    found = tuple(row for row in measured if row is not None)
    if not found:
        raise UserError(
            f"The chat template of this model refuses the rows of {label}.",
            "Correct the order of their roles, or choose another model.",
        )
    return found


def _picked(lines: list[bytes]) -> list[bytes]:
    every = max(1, ceil(len(lines) / MOST), ceil(sum(map(len, lines)) / MOST_BYTES))
    longest = [max(lines, key=len)] if every > 1 else []
    return [*lines[::every], *longest]


def _long(line: bytes, kind: Kind) -> RowTokens:
    sides = 2 if kind == "preference" else 1
    return RowTokens(0, (len(line) // BYTES_A_TOKEN // sides,) * sides, blocks=kind == "text")


def _row_or_none(template: Template, example: Example) -> RowTokens | None:
    """The tokens of a row; None for one that the template does not take."""
    try:
        return _row(template, example)
    except TemplateRefused:
        return None


def _row(template: Template, example: Example) -> RowTokens:
    if isinstance(example, Text):
        return RowTokens(0, (len(template.encode(example, 10**9).input_ids),), blocks=True)
    if isinstance(example, Preference):
        pair = template.encode_pair(example, 10**9)
        return RowTokens(len(pair.prompt_ids), (len(pair.chosen_ids), len(pair.rejected_ids)))
    if isinstance(example, Prompt):
        return RowTokens(len(template.prompt_ids(example.prompt)), (0,))
    if isinstance(example, Unpaired):
        answer = Message(role="assistant", content=example.completion)
        example = Chat(messages=(*example.prompt, answer))
    encoded = template.encode(example, 10**9)
    answer_tokens = _answer(encoded.completion_mask)
    return RowTokens(len(encoded.input_ids) - answer_tokens, (answer_tokens,))


def _answer(mask: list[int]) -> int:
    """Tokens of the last answer and of what the template writes after it."""
    after = list(takewhile(lambda trained: not trained, reversed(mask)))
    answer = takewhile(bool, islice(reversed(mask), len(after), None))
    return len(after) + sum(answer)
