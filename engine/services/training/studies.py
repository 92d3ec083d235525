"""Jobs that train many times over, as pages see them: how many trainings, and what each is."""

from engine.core.recipe import Recipe, TrainRecipe
from engine.work.nested import StudyRecipe


def trainings(recipe: Recipe) -> int:
    """How many trainings a study is; TypeError for a recipe that is no study."""
    return _study(recipe).trainings


def one_training(recipe: Recipe) -> TrainRecipe:
    """The training that a study repeats, before it changes anything; TypeError as above."""
    return _study(recipe).training()


def _study(recipe: Recipe) -> StudyRecipe:
    if not isinstance(recipe, StudyRecipe):
        raise TypeError(recipe.KIND)
    return recipe
