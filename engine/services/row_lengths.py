"""How long the rows of a dataset are in a model's tokens: a sample, measured once."""

from functools import lru_cache
from itertools import islice, takewhile
from math import ceil
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.examples import ADAPTER, Chat, Example, Message, Preference, Prompt, Text, Unpaired
from engine.models.chat import Template
from engine.workspace import Workspace

MOST = 240  # rows: more hardly moves the mean, and these are read while somebody waits
MOST_CHARACTERS = 20_000  # of a row; a longer one is worked out from its beginning


class Row(NamedTuple):
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


def measure(ws: Workspace, dataset: Dataset, base: Path) -> tuple[Row, ...]:
    """Rows taken evenly; a version never changes, so they are measured once for each model."""
    tokenizer = base / "tokenizer.json"
    changed = tokenizer.stat().st_mtime if tokenizer.is_file() else 0.0
    return _measured(ws.files / dataset.file / "rows.jsonl", dataset.label, base, changed)


def written(rows: tuple[Row, ...], answer: int) -> tuple[Row, ...]:
    """The rows of a method that writes its own answers, of up to `answer` tokens."""
    return tuple(Row(row.prompt, (answer,)) for row in rows)


def cut(rows: tuple[Row, ...], max_length: int, all_rows: bool) -> Lengths:
    """What a training at `max_length` makes of them; with a sample the longest is a guess."""
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
    longest = max(map(max, lengths))
    kept = [row.blocks or whole <= max_length for row, whole in zip(rows, uncut, strict=True)]
    return Lengths(
        mean=sum(taken) / sum(blocks),
        longest=longest if all_rows else min(max_length, ceil(1.1 * longest)),
        whole=sum(kept) / len(rows),
        blocks=sum(blocks) / len(rows),
    )


@lru_cache(64)
def _measured(file: Path, label: str, base: Path, _changed: float) -> tuple[Row, ...]:
    try:
        lines = file.read_bytes().splitlines()
        every = max(1, ceil(len(lines) / MOST))
        template = Template.load(base)
        found = tuple(_row(template, ADAPTER.validate_json(line)) for line in lines[::every])
    except (OSError, ValidationError):
        raise UserError(
            f"The rows of {label} are not in the data folder.", "Add the file again."
        ) from None
    if not found:
        raise UserError(f"{label} holds no rows.", "Choose another dataset.")
    return found


def _row(template: Template, example: Example) -> Row:
    if isinstance(example, Text):
        shown = example.model_copy(update={"text": example.text[:MOST_CHARACTERS]})
        tokens = len(template.encode(shown, 10**9).input_ids)
        return Row(0, (ceil(tokens * max(1.0, len(example.text) / MOST_CHARACTERS)),), blocks=True)
    if isinstance(example, Preference):
        pair = template.encode_pair(example, 10**9)
        return Row(len(pair.prompt_ids), (len(pair.chosen_ids), len(pair.rejected_ids)))
    if isinstance(example, Prompt):
        return Row(len(template.prompt_ids(example.prompt)), (0,))
    if isinstance(example, Unpaired):
        answer = Message(role="assistant", content=example.completion)
        example = Chat(messages=(*example.prompt, answer))
    encoded = template.encode(example, 10**9)
    answer_tokens = _answer(encoded.completion_mask)
    return Row(len(encoded.input_ids) - answer_tokens, (answer_tokens,))


def _answer(mask: list[int]) -> int:
    """Tokens of the last answer and of what the template writes after it."""
    after = list(takewhile(lambda trained: not trained, reversed(mask)))
    answer = takewhile(bool, islice(reversed(mask), len(after), None))
    return len(after) + sum(answer)
