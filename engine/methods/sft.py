"""Supervised fine-tuning: learn the answers of a dataset, or to write like its texts."""

import sys
from typing import ClassVar

from engine.core.context import Context
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Kind, Text
from engine.core.outcome import Outcome
from engine.core.recipe import TrainRecipe
from engine.methods import training
from engine.methods.encoding import Columns, EncodedDataset, EncodedRow
from engine.methods.training import MakeTrainer
from engine.models.chat import Template

TITLE = "Supervised fine-tuning (SFT)"
SUMMARY = "The model learns to answer as your examples do."


class Recipe(TrainRecipe):
    """Learn the answers of a dataset; from an adapter, training goes on in that adapter's shape.

    Long texts are learned whole, in parts of max_length tokens.
    """

    KIND: ClassVar[str] = "sft"
    LEARNS: ClassVar[tuple[Kind, ...]] = ("sft", "text")


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The model with the lowest held-out loss of the run."""
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows, and how to make their SFTTrainer."""
    from trl import SFTConfig, SFTTrainer

    return training.prepare(recipe, ctx, SFTConfig, SFTTrainer, encode_row)


def encode_row(template: Template, example: Example, max_length: int) -> EncodedRow:
    """Labels are -100 on tokens without loss; TRL takes a "labels" column as it is."""
    if not isinstance(example, Chat | Text):
        raise UserError(
            f"SFT learns from conversations or text, not from {example.kind} rows.",
            "Choose another dataset or another method.",
        )
    if isinstance(example, Text):
        return _text(template, example, max_length)
    encoded = template.encode(example, max_length)
    if encoded.dropped:
        return EncodedRow(None, encoded.truncated)
    labels = [
        token if trained else -100
        for token, trained in zip(encoded.input_ids, encoded.completion_mask, strict=True)
    ]
    return EncodedRow(_columns(encoded.input_ids, labels), encoded.truncated)


def _text(template: Template, example: Text, max_length: int) -> EncodedRow:
    """A text in parts; a part begins with the last token of the one before, so none is unlearned.

    The first token of a row carries no loss: there is nothing that it could be predicted from.
    """
    ids = template.encode(example, sys.maxsize).input_ids
    if len(ids) < 2:
        return EncodedRow(None, False)
    parts = [ids[start : start + max_length] for start in range(0, len(ids) - 1, max_length - 1)]
    first, *rest = [_columns(part, part) for part in parts]
    return EncodedRow(first, False, tuple(rest))


def _columns(ids: list[int], labels: list[int]) -> Columns:
    return {"input_ids": ids, "labels": labels, "length": len(ids)}
