"""Which examples a model learned from before it learned from votes."""

from collections.abc import Callable

from engine.core.errors import UserError
from engine.core.model import Model
from engine.core.recipe import ReplayRecipe


def source(recipe: ReplayRecipe, model: Callable[[str], Model]) -> str:
    """The id of the dataset that `recipe` replays: the named one, or that of the nearest SFT.

    `model` finds a model by its id. UserError where no model in the lineage learned from examples.
    """
    if recipe.replay_dataset:
        return recipe.replay_dataset
    at: str | None = recipe.model
    while at:
        found = model(at)
        if found.info.get("method") == "sft" and found.dataset_id:
            return found.dataset_id
        at = found.parent_id or (found.base_id if found.base_id != found.id else None)
    raise UserError(
        "Nothing to replay: no model in the lineage of the start model learned from examples here.",
        "Name a dataset of examples as replay_dataset, or set replay_rows to 0.",
    )
