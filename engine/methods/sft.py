"""Supervised fine-tuning (the answers of a dataset, or its texts): its options and defaults."""

import sys
from functools import partial
from typing import ClassVar

from pydantic import Field

from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Kind, Text
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.recipe import TrainRecipe
from engine.methods import training
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import Columns, EncodedDataset, EncodedRow
from engine.models.chat_template import Encoded, Template

TITLE = "Supervised fine-tuning (SFT)"
SUMMARY = "The model learns to answer as your examples do."


class Recipe(TrainRecipe):
    """Learn the answers of a dataset; from an adapter, training goes on in that adapter's shape.

    Long texts are learned whole, in parts of max_length tokens. A field that TRL's SFTConfig has
    not stands in NOT_TRL_FIELDS too; any other is handed on to it.
    """

    KIND: ClassVar[str] = "sft"
    CONFIG: ClassVar[str] = "trl.trainer.sft_config.SFTConfig"
    LEARNS: ClassVar[tuple[Kind, ...]] = ("sft", "text")
    NOT_TRL_FIELDS: ClassVar[frozenset[str]] = frozenset({"split_answers"})

    split_answers: bool = Field(
        False,
        description="Each answer becomes a row of its own where the chat template shows earlier "
        "answers otherwise, such as without their reasoning",
    )


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The model with the lowest held-out loss of the run."""
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows, and how to make their SFTTrainer."""
    from trl import SFTConfig, SFTTrainer

    encode = partial(encode_row, split_answers=recipe.split_answers)
    return training.prepare(recipe, ctx, SFTConfig, SFTTrainer, encode)


def encode_row(
    template: Template, example: Example, max_length: int, split_answers: bool = False
) -> EncodedRow:
    """Labels are -100 on tokens without loss; TRL takes a "labels" column as it is."""
    if not isinstance(example, Chat | Text):
        raise UserError(
            f"SFT learns from conversations or text, not from {example.kind} rows.",
            "Choose another dataset or another method.",
        )
    if isinstance(example, Text):
        return _text(template, example, max_length)
    if split_answers and template.row_use(example).unlearned:
        return _by_answers(template, example, max_length)
    return _chat(template.encode(example, max_length))


def _by_answers(template: Template, example: Chat, max_length: int) -> EncodedRow:
    """A conversation as one row an answer, of which that answer alone carries loss."""
    places = [n for n, turn in enumerate(example.messages) if n and turn.is_learned]
    parts = [
        _chat(
            template.encode(
                example.model_copy(update={"messages": example.messages[: place + 1]}),
                max_length,
                last_answer_only=True,
            )
        )
        for place in places
    ]
    kept = [part.columns for part in parts if part.columns is not None]
    truncated = any(part.truncated for part in parts)
    if not kept:
        return EncodedRow(None, truncated)
    return EncodedRow(kept[0], truncated, tuple(kept[1:]), by_answers=True)


def _chat(encoded: Encoded) -> EncodedRow:
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
