"""Group relative policy optimisation: an answer counts by how it compares with its group."""

from typing import ClassVar

from pydantic import Field

from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.methods import training
from engine.methods.rewarded import online
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import EncodedDataset

TITLE = "GRPO"
SUMMARY = "The model writes several answers to a prompt and learns from how their rewards differ."


class Recipe(online.OnlineRecipe):
    """Write answers, have them rewarded, and learn from how each compares with its group."""

    KIND: ClassVar[str] = "grpo"
    CONFIG: ClassVar[str] = "trl.trainer.grpo_config.GRPOConfig"

    beta: float = Field(
        0.04, ge=0, description="Strength of the pull to the model it starts from; 0 for none"
    )


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The model with the highest held-out reward of the run.

    Source: Shao et al. 2024, arXiv:2402.03300; TRL's loss is DAPO's unless trl says otherwise.
    """
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The prompts, and how to make their GRPOTrainer."""
    from trl import GRPOConfig, GRPOTrainer

    return online.prepare(recipe, ctx, GRPOConfig, GRPOTrainer)
