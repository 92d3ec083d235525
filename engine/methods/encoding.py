"""A dataset as the trainer gets it: token columns, made by the same code as the preview."""

from collections.abc import Callable
from typing import NamedTuple

from engine.core.context import Context
from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.examples import Example

# a row as a trainer gets it: token ids, labels, lengths and what its method adds, by column
Columns = dict[str, list[int] | int | bool | str]


class EncodedRow(NamedTuple):
    """One row's columns; None when nothing of it is left to learn from."""

    columns: Columns | None
    truncated: bool
    rest: tuple[Columns, ...] = ()  # further parts of a row that is cut, not cut off


class EncodedDataset(NamedTuple):
    """`dropped` and `truncated` count over both splits; a dropped row is not also truncated.

    A long text is several rows here.
    """

    train: list[Columns]
    held_out: list[Columns]
    dropped: int
    truncated: int


def encode_dataset(
    ctx: Context, dataset_id: str, encode: Callable[[Example], EncodedRow], max_length: int
) -> EncodedDataset:
    """The rows of both splits, encoded; says what was cut, and UserError when nothing is left."""
    train = _encode(ctx.rows(dataset_id, "train"), encode)
    held_out = _encode(ctx.rows(dataset_id, "held_out"), encode)
    encoded = EncodedDataset(
        train=_parts(train),
        held_out=_parts(held_out),
        dropped=sum(line.columns is None for line in train + held_out),
        truncated=sum(line.truncated and line.columns is not None for line in train + held_out),
    )
    if not encoded.train:
        raise UserError(
            f"None of the {len(train)} training rows has an answer within {max_length} tokens.",
            "Raise max_length, or add rows to the data.",
        )
    cut = [line for line in train + held_out if line.rest]
    for text in [*_remarks(encoded, max_length), *_cuts(cut, max_length)]:
        ctx.emit("log", {"text": text})
    return encoded


def _encode(rows: list[Row], encode: Callable[[Example], EncodedRow]) -> list[EncodedRow]:
    return [encode(row.example) for row in rows]


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
