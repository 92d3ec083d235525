"""REINFORCE leave-one-out: answers that earn more than their siblings become likelier."""

from typing import ClassVar

from pydantic import Field

from engine.core.job_context import Context
from engine.core.job_outcome import Outcome
from engine.methods import training
from engine.methods.rewarded import online
from engine.methods.training import MakeTrainer
from engine.methods.training_rows import EncodedDataset

TITLE = "RLOO"
SUMMARY = "The model writes answers and learns from those that a reward scores above the others."


class Recipe(online.OnlineRecipe):
    """Write answers, have them rewarded, and do more of what earned more than the others."""

    KIND: ClassVar[str] = "rloo"
    CONFIG: ClassVar[str] = "trl.trainer.rloo_config.RLOOConfig"

    beta: float = Field(
        0.05,
        ge=0,
        description="Strength of the pull to the model it starts from; higher changes less",
    )


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The model with the highest held-out reward of the run.

    Source: Ahmadian et al. 2024, arXiv:2402.14740.
    """
    return training.run(recipe, ctx, *prepare(recipe, ctx))


def prepare(recipe: Recipe, ctx: Context) -> tuple[EncodedDataset, MakeTrainer]:
    """The prompts, and how to make their RLOOTrainer."""
    from trl import RLOOConfig, RLOOTrainer

    return online.prepare(recipe, ctx, RLOOConfig, RLOOTrainer)
