"""Three ways to fill a form: how long it learns, and how closely that is watched."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from engine.core.recipe import TrainRecipe
from engine.services.preflight import Preflight

QUICK, USUAL, THOROUGH = "Quick look", "Usual", "Thorough"
NAMES = (QUICK, USUAL, THOROUGH)
OWN = "Your own settings."
FEW_STEPS = 30
PART = 4  # a quick look at few rows takes one step of so many
PATIENCE = 3  # measurements without a new best


def values(recipe: type[TrainRecipe], name: str, rows: int) -> dict[str, Any]:
    """The fields that a preset sets for a dataset of so many training rows, and to what."""
    passes, evals, batch = (
        recipe.model_fields[field].default
        for field in ("num_train_epochs", "evals", "per_device_train_batch_size")
    )
    few = min(FEW_STEPS, ceil(rows * passes / batch / PART))
    kept = {"num_train_epochs": passes, "max_steps": None, "early_stopping_patience": None}
    return {
        QUICK: {**kept, "max_steps": max(1, few), "evals": 3},
        USUAL: {**kept, "evals": evals},
        THOROUGH: {
            **kept,
            "num_train_epochs": 2 * passes,
            "evals": 2 * evals,
            "early_stopping_patience": PATIENCE,
        },
    }[name]


def of(recipe: TrainRecipe, rows: int) -> str | None:
    """The preset whose settings a recipe has; None where a person chose others."""
    for name in NAMES:
        wanted = values(type(recipe), name, rows)
        if all(getattr(recipe, field) == value for field, value in wanted.items()):
            return name
    return None


def sentence(recipe: TrainRecipe, found: Preflight) -> str:
    """What the settings mean here and why."""
    passes = f"{recipe.num_train_epochs:g}"
    why: Mapping[str | None, str] = {
        QUICK: f"It stops after {found.steps} steps: enough to see that the data and the settings "
        "work, not to keep the model.",
        USUAL: f"{_times(passes)} over the rows, because most models have learned by then what "
        "such rows teach.",
        THOROUGH: f"Up to {_times(passes)} over the rows, and it stops by itself when {PATIENCE} "
        "held-out measurements in a row bring nothing new.",
        None: OWN,
    }
    batch = found.settings.get("per_device_train_batch_size", "")
    return f"{why[of(recipe, found.rows)]} {batch}".strip()


def _times(passes: str) -> str:
    return f"{passes} pass{'es' if passes != '1' else ''}"
