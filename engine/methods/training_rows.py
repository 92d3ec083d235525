"""A dataset as the trainer gets it: token columns, made by the same code as the preview.

A chat becomes tokens with its loss mask in models/chat_template.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.job_context import Context
from engine.core.template_use import TemplateUse
from engine.models.chat_template import Template
from engine.models.template_use import TemplateTally

# a row as a trainer gets it: token ids, labels, lengths and what its method adds, by column
Columns = dict[str, list[int] | list[list[int]] | int | float | bool | str]
WEIGHT = "pair_weight"  # the column of preference pairs that do not all weigh 1


class EncodedRow(NamedTuple):
    """One row's columns; None when nothing of it is left to learn from."""

    columns: Columns | None
    truncated: bool
    rest: tuple[Columns, ...] = ()  # further parts of a row that is cut, not cut off
    by_answers: bool = False  # the parts are the answers of a conversation, not those of a text


class Replay(NamedTuple):
    """Rows of examples that are learned beside votes: `each` of them in every batch."""

    dataset: str
    rows: tuple[Columns, ...]
    each: int
    weight: float


class EncodedDataset(NamedTuple):
    """`dropped` and `truncated` count over both splits; a dropped row is not also truncated.

    A long text is several rows here. Rows that the chat template refuses are counted in `template`
    alone, as is whatever else it makes of the rows.
    """

    train: list[Columns]
    held_out: list[Columns]
    dropped: int
    truncated: int
    template: TemplateUse = TemplateUse()
    replay: Replay | None = None

    def all_rows(self) -> list[Columns]:
        """Every row that the run reads: those to learn from, held-out ones, replayed ones."""
        return [*self.train, *self.held_out, *(self.replay.rows if self.replay else ())]


def encode_dataset(
    ctx: Context,
    dataset_id: str,
    encode: Callable[[Example], EncodedRow],
    max_length: int,
    template: Template,
) -> EncodedDataset:
    """The rows of both splits, encoded; says what was cut, and UserError when nothing is left."""
    tally = TemplateTally(template)
    train = _encode(ctx.rows(dataset_id, "train"), encode, tally)
    held_out = _encode(ctx.rows(dataset_id, "held_out"), encode, tally)
    split = any(line.by_answers for line in train + held_out)
    encoded = EncodedDataset(
        train=_parts(train),
        held_out=_parts(held_out),
        dropped=sum(line.columns is None for line in train + held_out),
        truncated=sum(line.truncated and line.columns is not None for line in train + held_out),
        template=tally.use(split),
    )
    if not encoded.train:
        raise _nothing_left(encoded, len(train), max_length)
    cut = [line for line in train + held_out if line.rest and not line.by_answers]
    found = [f"{one.message} {one.hint}".strip() for one in encoded.template.findings()]
    for text in [*_remarks(encoded, max_length), *found, *_cuts(cut, max_length)]:
        ctx.emit("log", {"text": text})
    return encoded


def _encode(
    rows: list[Row], encode: Callable[[Example], EncodedRow], tally: TemplateTally
) -> list[EncodedRow]:
    """The rows without those that the chat template refuses, which are counted."""
    return [encode(row.example) for row in rows if tally.add(row.example, row.index + 1)]


def _nothing_left(encoded: EncodedDataset, read: int, max_length: int) -> UserError:
    refused = encoded.template.refused.count
    if refused and not read:
        return UserError(
            f"The chat template of this model refuses all {refused} rows: "
            f"{encoded.template.refusal}.",
            "Correct the order of their roles, or choose another model.",
        )
    return UserError(
        f"None of the {read} training rows has an answer within {max_length} tokens.",
        "Raise max_length, or add rows to the data.",
    )


def _parts(rows: list[EncodedRow]) -> list[Columns]:
    return [
        part for line in rows if line.columns is not None for part in (line.columns, *line.rest)
    ]


def _cuts(cut: list[EncodedRow], max_length: int) -> list[str]:
    if not cut:
        return []
    parts = sum(1 + len(line.rest) for line in cut)
    return [f"{len(cut)} long texts are learned in {parts} parts of at most {max_length} tokens."]


def _remarks(encoded: EncodedDataset, max_length: int) -> list[str]:
    notes = [f"{len(encoded.train)} rows to learn from, {len(encoded.held_out)} held out."]
    if context := encoded.template.context_answers:
        named = "1 answer has" if context == 1 else f"{context:,} answers have"
        notes.append(f"{named} the weight 0: context that carries no loss.")
    if encoded.dropped:
        notes.append(
            f"{encoded.dropped} rows are left out: after {max_length} tokens of them there is "
            "nothing to learn."
        )
    if encoded.truncated:
        notes.append(f"{encoded.truncated} rows are cut off after {max_length} tokens.")
    if not encoded.held_out:
        notes.append("No rows are held out, so overfitting cannot be detected.")
    return notes
