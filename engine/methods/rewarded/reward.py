"""A reward model: it reads a prompt and an answer, and says how much people would like it."""

from typing import ClassVar

from pydantic import Field

from engine.core.errors import UserError
from engine.core.examples import Example, Kind, Preference
from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.core.json_object import JsonObject
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS, TrainRecipe, lora_defaults
from engine.methods import training
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import Columns, EncodedDataset, EncodedRow
from engine.models.chat_template import Template

TITLE = "Reward model"
SUMMARY = "A model learns to score answers as people would; RLOO and GRPO train with it."


class Recipe(TrainRecipe):
    """Learn to judge: of two answers the preferred one gets the higher score."""

    KIND: ClassVar[str] = "reward"
    CONFIG: ClassVar[str] = "trl.trainer.reward_config.RewardConfig"
    LEARNS: ClassVar[tuple[Kind, ...]] = ("preference",)
    FEWEST_HELD_OUT: ClassVar[int] = FEWEST_HELD_OUT_PAIRS

    learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Higher learns faster and forgets more"
    )
    center_rewards_coefficient: float | None = Field(
        0.01, ge=0, description="Keeps scores centred on zero, so that they can be compared"
    )
    lora: JsonObject = Field(
        default_factory=lambda: lora_defaults(modules_to_save=["score"]),
        description="LoRA options, under PEFT's own names; score is the new scoring layer",
    )


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The judge with the lowest held-out loss; the result has its accuracy on held-out pairs."""
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The rows, and how to make their RewardTrainer."""
    from trl import RewardConfig, RewardTrainer

    saved = recipe.lora.get("modules_to_save")
    if recipe.tuning != "full" and not (isinstance(saved, list | str) and "score" in saved):
        raise UserError(
            "A reward model needs its score layer trained and saved.",
            "Write modules_to_save: [score] under lora.",
        )
    return training.prepare(recipe, ctx, RewardConfig, RewardTrainer, encode_row, task="SEQ_CLS")


def encode_row(template: Template, example: Example, max_length: int) -> EncodedRow:
    if not isinstance(example, Preference):
        raise UserError(
            f"A reward model learns from preference pairs, not from {example.kind} rows.",
            "Rate some comparisons and turn them into pairs, or choose another dataset.",
        )
    pair = template.encode_pair(example, max_length)
    if pair.dropped:
        return EncodedRow(None, pair.truncated)
    columns: Columns = {
        "chosen_ids": pair.prompt_ids + pair.chosen_ids,
        "rejected_ids": pair.prompt_ids + pair.rejected_ids,
        "length": len(pair.prompt_ids) + max(len(pair.chosen_ids), len(pair.rejected_ids)),
    }
    return EncodedRow(columns, pair.truncated)
