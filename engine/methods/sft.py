"""Supervised fine-tuning: learn the answers of a dataset, as a LoRA adapter."""

from typing import ClassVar

from engine.core.context import Context
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Kind, Text
from engine.core.outcome import Outcome
from engine.core.recipe import TrainRecipe
from engine.methods import training
from engine.methods.material import Line, Material
from engine.methods.training import MakeTrainer
from engine.models.chat import Template


class Recipe(TrainRecipe):
    """Learn the answers of a dataset; from an adapter, training goes on in that adapter's shape."""

    KIND: ClassVar[str] = "sft"
    LEARNS: ClassVar[tuple[Kind, ...]] = ("sft", "text")


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The adapter with the lowest held-out loss of the run."""
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[Material, MakeTrainer]:
    """The rows, and how to make their SFTTrainer."""
    from trl import SFTConfig, SFTTrainer

    return training.prepare(recipe, ctx, SFTConfig, SFTTrainer, _line)


def _line(template: Template, example: Example, max_length: int) -> Line:
    """Labels are -100 on tokens without loss; TRL takes a "labels" column as it is."""
    if not isinstance(example, Chat | Text):
        raise UserError(
            f"SFT learns from conversations or text, not from {example.kind} rows.",
            "Choose another dataset or another method.",
        )
    encoded = template.encode(example, max_length)
    if encoded.dropped:
        return Line(None, encoded.truncated)
    labels = [
        token if trained else -100
        for token, trained in zip(encoded.input_ids, encoded.completion_mask, strict=True)
    ]
    columns = {"input_ids": encoded.input_ids, "labels": labels, "length": len(labels)}
    return Line(columns, encoded.truncated)
