"""Jobs that train many times, as pages see them: how many trainings, and what each is."""

from typing import NamedTuple

from engine.core.recipe import Recipe, TrainRecipe
from engine.jobs.nested_training import StudyRecipe


class StudyPlan(NamedTuple):
    """How many trainings a study is, their fewest and most steps, and one of the mean length."""

    trainings: int
    fewest_steps: int
    most_steps: int
    mean: TrainRecipe


def plan(recipe: Recipe, rows: int) -> StudyPlan:
    """What a study of so many training rows trains; TypeError for a recipe that is no study.

    Time grows with the steps in a straight line, so `trainings` times the mean one is all of them.
    """
    study = _study(recipe)
    steps = study.steps(rows)
    mean = max(1, round(sum(steps) / len(steps)))
    return StudyPlan(len(steps), min(steps), max(steps), study.training({"max_steps": mean}))


def _study(recipe: Recipe) -> StudyRecipe:
    if not isinstance(recipe, StudyRecipe):
        raise TypeError(recipe.KIND)
    return recipe
