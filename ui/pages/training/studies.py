"""Jobs that train many times, asked for from a filled form: is the data enough, which settings."""

from typing import Any, Literal, NamedTuple

from engine.core.errors import UserError
from engine.core.job import Job
from engine.core.json_object import JsonObject
from engine.core.recipe import Recipe, TrainRecipe, read_exact
from engine.services import registered_plugins
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.training import estimate
from engine.services.training import studies as training_studies
from engine.workspace import Workspace
from ui.pages.training.estimate import about
from ui.web.session import who

Study = Literal["curve", "sweep"]
NOT_PASSED_ON = {
    "model", "dataset", "max_steps", "num_evals", "samples", "evaluate_after", "seed",
    "early_stopping_patience", "trackers",
}  # fmt: skip
AROUND = 10  # a setting is tried from a tenth of what it is to ten times that
SPACE = {
    "learning_rate": "Learning rate",
    "beta": "Beta (pull to the reference model)",
    "lora.r": "LoRA rank (r)",
}
RANKS = [4, 8, 16, 32]


class StudyChoice(NamedTuple):
    """What a person chose beside the form."""

    steps: int = 40
    trials: int = 8
    tried: tuple[str, ...] = ("learning_rate",)


def possible(recipe: type[TrainRecipe]) -> bool:
    """Whether trainings of this method are compared by their held-out loss."""
    return recipe.BEST == "eval_loss"


def tries(recipe: type[TrainRecipe]) -> list[tuple[str, str]]:
    """The settings that a search may try, as (label, name)."""
    known = recipe.model_fields
    return [(text, name) for name, text in SPACE.items() if name.split(".")[0] in known]


def asked(steps: Any, trials: Any, tried: Any) -> StudyChoice:
    """What came from the browser, whatever it is, as what may be asked."""
    names = tried if isinstance(tried, list) else []
    return StudyChoice(
        _whole(steps, 40), _whole(trials, 8), tuple(str(n) for n in names if n in SPACE)
    )


def study(kind: Study, recipe: TrainRecipe, wanted: StudyChoice) -> Recipe:
    """The job that trains `recipe` many times; UserError where there is nothing to try."""
    settings = recipe.model_dump(mode="json", exclude=NOT_PASSED_ON, exclude_defaults=True)
    values: JsonObject = {
        "model": recipe.model,
        "dataset": recipe.dataset,
        "method": recipe.KIND,
        "settings": settings,
        "max_steps": wanted.steps,
    }
    if kind == "sweep":
        values |= {"space": space(recipe, wanted.tried), "n_trials": wanted.trials}
    return read_exact(registered_plugins.recipe_of(kind), values)


def space(recipe: TrainRecipe, tried: tuple[str, ...]) -> JsonObject:
    """What a search tries, around what the form says; UserError where that is nothing."""
    found: JsonObject = {}
    for name in tried:
        if name == "lora.r" and recipe.tuning != "full":
            found[name] = [*RANKS]
        elif name != "lora.r":
            middle = float(getattr(recipe, name))
            high = middle * AROUND
            high = min(1.0, high) if name == "learning_rate" else high
            found[name] = {"low": middle / AROUND, "high": high, "log": True}
    if not found:
        raise UserError("There is nothing to try.", "Tick a setting that this training has.")
    return found


def takes(
    ws: Workspace, project: str, kind: Study, recipe: TrainRecipe, wanted: StudyChoice
) -> str:
    """How many trainings a study is and how long they will take, in a sentence."""
    rows = datasets.get(ws, who(ws), recipe.dataset).train_rows
    plan = training_studies.plan(study(kind, recipe, wanted), rows)
    expected = estimate.estimate(ws, who(ws), project, plan.mean)
    low, likely, high = (plan.trainings * each for each in expected.seconds.model_dump().values())
    steps = f"{plan.fewest_steps:,}"
    if plan.most_steps > plan.fewest_steps:
        steps += f" to {plan.most_steps:,}"
    return (
        f"{plan.trainings} trainings of {steps} steps: {about(likely)} "
        f"({about(low)[6:]} to {about(high)[6:]})."
    )


def start(
    ws: Workspace, project: str, kind: Study, recipe: TrainRecipe, wanted: StudyChoice
) -> Job:
    """The study, queued; UserError where the dataset has nothing to compare by."""
    data = datasets.get(ws, who(ws), recipe.dataset)
    if not data.held_out_rows:
        raise UserError(
            f"{data.label} has no held-out rows, so nothing can be compared.",
            "Add the data again with a held-out share.",
        )
    name = {"curve": f"Learning curve of {data.label}", "sweep": f"Search on {data.label}"}[kind]
    return lifecycle.submit(ws, who(ws), project, study(kind, recipe, wanted), name)


def _whole(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) and 1 <= value < 1e6 else default
