"""Three ways to fill a form: how long it learns, and how closely that is watched."""

from collections.abc import Mapping
from math import ceil
from typing import TypedDict

from engine.core.recipe import DEFAULT_EPOCHS, TrainRecipe, default_epochs
from engine.core.training_estimate import Preflight

QUICK, USUAL, THOROUGH = "Quick", "Standard", "Thorough"
NAMES = (QUICK, USUAL, THOROUGH)
OWN = "Your own settings."
FEW_STEPS = 30
PART = 4  # a quick look at few rows takes one step of so many
PATIENCE = 3  # measurements without a new best


class PresetValues(TypedDict):
    """The fields that a preset sets."""

    num_train_epochs: float
    max_steps: int | None
    early_stopping_patience: int | None
    num_evals: int


def values(recipe: type[TrainRecipe], name: str, rows: int) -> PresetValues:
    """The fields that a preset sets for a dataset of so many training rows, and to what."""
    num_evals, batch = (
        recipe.model_fields[field].default for field in ("num_evals", "per_device_train_batch_size")
    )
    usual = default_epochs(rows, batch)
    few = min(FEW_STEPS, ceil(rows * usual / batch / PART))
    standard: PresetValues = {
        "num_train_epochs": usual,
        "max_steps": None,
        "early_stopping_patience": None,
        "num_evals": num_evals,
    }
    presets: dict[str, PresetValues] = {
        QUICK: {**standard, "max_steps": max(1, few), "num_evals": 3},
        USUAL: standard,
        THOROUGH: {
            **standard,
            "num_train_epochs": 2 * usual,
            "num_evals": 2 * num_evals,
            "early_stopping_patience": PATIENCE,
        },
    }
    return presets[name]


def of(recipe: TrainRecipe, rows: int) -> str | None:
    """The preset whose settings a recipe has; None where a person chose others."""
    for name in NAMES:
        wanted = values(type(recipe), name, rows)
        if all(getattr(recipe, field) == value for field, value in wanted.items()):
            return name
    return None


def sentence(recipe: TrainRecipe, found: Preflight) -> str:
    """What the settings mean here and why."""
    times = _times(recipe.num_train_epochs)
    enough = "after which most models have learned what such rows teach"
    if recipe.num_train_epochs > DEFAULT_EPOCHS:
        enough = "because a small dataset needs more epochs to reach enough steps"
    why: Mapping[str | None, str] = {
        QUICK: f"Stops after {found.steps} steps: enough to check the data and the settings, "
        "too few for a model to keep.",
        USUAL: f"{times}, {enough}.",
        THOROUGH: f"Up to {times}; stops early after {PATIENCE} held-out measurements without a "
        "new best.",
        None: OWN,
    }
    batch = found.settings.get("per_device_train_batch_size", "")
    return f"{why[of(recipe, found.rows)]} {batch}".strip()


def _times(count: float) -> str:
    return f"{count:g} epoch{'s' if count != 1 else ''}"
