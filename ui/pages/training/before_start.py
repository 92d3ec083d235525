"""What a filled form would do, before it is started: everything that is drawn of it."""

from collections.abc import Mapping
from html import escape
from math import ceil
from shlex import quote
from typing import Any, NamedTuple, get_args

from engine.core.errors import UserError
from engine.core.job import Job
from engine.core.recipe import LEAST_STEPS, TrainRecipe, Tuning, default_epochs, read
from engine.core.training_estimate import Preflight
from engine.services import projects, registered_plugins
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.training import estimate
from engine.workspace import Workspace
from ui.components import forms, markup, names
from ui.pages.training import estimate as view
from ui.pages.training import presets, studies
from ui.web.session import who

FIRST_LOOK_DIVISOR = 10  # a first look takes one step of so many
BIG_STEPS, BIG_S = 50, 120.0  # from here on a first look is worth a click
WARM_STEPS = 4
MOST_USD = 10_000.0


class FormPicture(NamedTuple):
    """A filled form as it is drawn; the texts of buttons are empty where they have no use."""

    panel: str
    preset: str | None
    preset_words: str
    tunings: str
    yaml: str
    command: str
    curve_words: str
    sweep_words: str
    possible: bool
    anyway: bool
    smaller: bool
    measure_label: str
    first_look_label: str


class StartChoice(NamedTuple):
    """What stands beside the recipe in a form, as it came from the browser."""

    price: Any = 0.0
    warmup: str = ""  # the job that measures at this moment
    study: studies.StudyChoice = studies.StudyChoice()


NOTHING = StartChoice()


def picture(
    ws: Workspace, project: str, recipe: TrainRecipe, asked: StartChoice = NOTHING
) -> FormPicture:
    """The whole picture of a recipe; UserError where it means nothing that could be trained."""
    usd = usd_per_hour(asked.price)
    estimates = {
        tuning: estimate.estimate(ws, who(ws), project, each, usd)
        for tuning, each in _by_tuning(recipe)
    }
    own = estimates[recipe.tuning]
    text, command = yaml_and_command(ws, project, recipe)
    possible = own.verdict != "impossible"
    measuring = _measuring(ws, asked.warmup)
    return FormPicture(
        panel=measuring + view.panel(own, notes(ws, recipe, own.steps)),
        preset=presets.of(recipe, own.rows),
        preset_words=f'<p class="tl-hint">{escape(presets.sentence(recipe, own))}</p>',
        tunings=view.tunings(estimates, recipe.tuning),
        yaml=text,
        command=command,
        curve_words=_study(ws, project, "curve", recipe, asked.study),
        sweep_words=_study(ws, project, "sweep", recipe, asked.study),
        possible=possible,
        anyway=not possible and not own.refused,
        smaller=bool(own.proposal),
        measure_label=_measure_label(ws, project, recipe, own)
        if possible and not measuring
        else "",
        first_look_label=_first_look_label(ws, project, recipe, own) if possible else "",
    )


def notes(ws: Workspace, recipe: TrainRecipe, steps: int = LEAST_STEPS) -> tuple[str, ...]:
    """What people trip over, in a training of so many steps."""
    data = datasets.get(ws, who(ws), recipe.dataset)
    model = registry.get(ws, who(ws), recipe.model)
    notices = []
    if model.kind == "adapter":
        name = names.of_models(ws, model.project_id)[model.id]
        notices.append(f"It continues the adapter {name}: LoRA options have no effect.")
    if not data.held_out_rows:
        notices.append("No rows are held out, so overfitting will not be visible.")
    more = default_epochs(data.train_rows, recipe.per_device_train_batch_size)
    if steps < LEAST_STEPS and recipe.max_steps is None and more > recipe.num_train_epochs:
        count = "1 step changes" if steps == 1 else f"{steps} steps change"
        notices.append(f"{count} a model little: “Standard” takes {more:g} epochs of so few rows.")
    return tuple(notices)


def yaml_and_command(ws: Workspace, project: str, recipe: TrainRecipe) -> tuple[str, str]:
    """The recipe as YAML with names for ids, and the command that does the same."""
    shown = {
        "model": registry.get(ws, who(ws), recipe.model).name,
        "dataset": datasets.get(ws, who(ws), recipe.dataset).label,
    }
    name = projects.get(ws, who(ws), project).name
    return forms.as_yaml(
        recipe, **shown
    ), f"tuneloop training start recipe.yaml --project {quote(name)}"


def changed(recipe: TrainRecipe, changes: Mapping[str, Any]) -> TrainRecipe:
    """The recipe with some fields changed, checked again."""
    values = {**recipe.model_dump(exclude_unset=True), **changes}
    return type(recipe).model_validate(values)


def first_look(recipe: TrainRecipe, steps: int) -> TrainRecipe:
    """The same training with a tenth of its steps."""
    return changed(recipe, {"max_steps": max(1, ceil(steps / FIRST_LOOK_DIVISOR))})


def warm_up(ws: Workspace, project: str, recipe: TrainRecipe) -> Job:
    """A measurement of the first steps of this training, queued."""
    known = registered_plugins.recipe_of("warmup")
    values = {
        "method": recipe.KIND, "recipe": recipe.model_dump(mode="json"), "steps": WARM_STEPS,
    }  # fmt: skip
    label = datasets.get(ws, who(ws), recipe.dataset).label
    return lifecycle.submit(ws, who(ws), project, read(known, values), f"Warm-up on {label}")


def usd_per_hour(typed: Any) -> float:
    """The price that was typed; 0 for an empty box."""
    if typed in (None, ""):
        return 0.0
    try:
        price = float(typed)
    except (TypeError, ValueError):
        price = -1.0
    if not 0 <= price <= MOST_USD:
        raise UserError(f"{typed} is no price of an hour.", "Write a number such as 1.20.")
    return price


def _by_tuning(recipe: TrainRecipe) -> list[tuple[str, TrainRecipe]]:
    return [(tuning, recipe.model_copy(update={"tuning": tuning})) for tuning in get_args(Tuning)]


def _first_look_label(ws: Workspace, project: str, recipe: TrainRecipe, whole: Preflight) -> str:
    if whole.steps < BIG_STEPS or whole.seconds.likely < BIG_S:
        return ""
    short = estimate.estimate(ws, who(ws), project, first_look(recipe, whole.steps))
    return f"Try {100 // FIRST_LOOK_DIVISOR} % of the steps, {view.about(short.seconds.likely)}"


def _measure_label(ws: Workspace, project: str, recipe: TrainRecipe, whole: Preflight) -> str:
    if whole.source != "arithmetic":
        return ""
    short = changed(recipe, {"max_steps": WARM_STEPS, "num_evals": 1})
    taken = estimate.estimate(ws, who(ws), project, short).seconds.likely
    return f"Measure the speed here, {view.about(taken)}"


def _measuring(ws: Workspace, job_id: str) -> str:
    if not job_id:
        return ""
    job = lifecycle.get(ws, who(ws), job_id)
    if job.over:
        return ""
    now = "waits for its turn" if job.started_at is None else "trains a few steps on your rows"
    return markup.notice(f"{job.name} {now}. The estimate then follows from it.", "busy")


def _study(
    ws: Workspace,
    project: str,
    kind: studies.Study,
    recipe: TrainRecipe,
    asked: studies.StudyChoice,
) -> str:
    if not studies.possible(type(recipe)):
        return ""
    try:
        text = studies.takes(ws, project, kind, recipe, asked)
    except UserError as error:
        text = str(error)
    return f'<p class="tl-hint">{escape(text)}</p>'
