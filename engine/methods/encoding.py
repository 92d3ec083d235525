"""A dataset as the trainer gets it: token columns, made by the same code as the preview."""

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.core.context import Context
from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.examples import Example


class Line(NamedTuple):
    """One row's columns; None when nothing of it is left to learn from."""

    columns: dict[str, Any] | None
    truncated: bool
    rest: tuple[dict[str, Any], ...] = ()  # further parts of a row that is cut, not cut off


class Material(NamedTuple):
    """`dropped` and `truncated` count over both splits; a dropped row is not also truncated.

    A long text is several rows here.
    """

    train: list[dict[str, Any]]
    held_out: list[dict[str, Any]]
    dropped: int
    truncated: int


def gather(
    ctx: Context, dataset_id: str, encode: Callable[[Example], Line], max_length: int
) -> Material:
    """The rows of both splits, encoded; says what was cut, and UserError when nothing is left."""
    train = _lines(ctx.rows(dataset_id, "train"), encode)
    held_out = _lines(ctx.rows(dataset_id, "held_out"), encode)
    material = Material(
        train=_parts(train),
        held_out=_parts(held_out),
        dropped=sum(line.columns is None for line in train + held_out),
        truncated=sum(line.truncated and line.columns is not None for line in train + held_out),
    )
    if not material.train:
        raise UserError(
            f"None of the {len(train)} training rows has an answer within {max_length} tokens.",
            "Raise max_length, or add rows to the data.",
        )
    cut = [line for line in train + held_out if line.rest]
    for text in [*_remarks(material, max_length), *_cuts(cut, max_length)]:
        ctx.emit("log", {"text": text})
    return material


def _lines(rows: list[Row], encode: Callable[[Example], Line]) -> list[Line]:
    return [encode(row.example) for row in rows]


def _parts(lines: list[Line]) -> list[dict[str, Any]]:
    return [
        part for line in lines if line.columns is not None for part in (line.columns, *line.rest)
    ]


def _cuts(cut: list[Line], max_length: int) -> list[str]:
    if not cut:
        return []
    parts = sum(1 + len(line.rest) for line in cut)
    return [f"{len(cut)} long texts are learned in {parts} parts of at most {max_length} tokens."]


def _remarks(material: Material, max_length: int) -> list[str]:
    said = [f"{len(material.train)} rows to learn from, {len(material.held_out)} held out."]
    if material.dropped:
        said.append(
            f"{material.dropped} rows are left out: after {max_length} tokens of them there is "
            "nothing to learn."
        )
    if material.truncated:
        said.append(f"{material.truncated} rows lose their end after {max_length} tokens.")
    if not material.held_out:
        said.append("No rows are held out, so nothing tells when this model begins to overfit.")
    return said
