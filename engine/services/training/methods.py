"""The methods that train: built-in ones and those of installed plug-ins."""

from engine import plugins
from engine.core.recipe import TrainRecipe


def known() -> dict[str, type[TrainRecipe]]:
    """The recipe of every method by its kind of job, the built-in ones first."""
    recipes = {kind: plugins.load("jobs", kind).Recipe for kind in plugins.names("jobs")}
    return {kind: recipe for kind, recipe in recipes.items() if recipe.TRAINS}
