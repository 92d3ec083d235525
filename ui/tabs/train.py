"""Train: choose how to teach, see what it will take, start."""

from collections.abc import Sequence
from html import escape
from math import ceil
from shlex import quote
from typing import Any, NamedTuple

import gradio as gr

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.examples import Kind
from engine.core.job import Job
from engine.core.model import Model
from engine.core.recipe import TrainRecipe
from engine.services import datasets, jobs, models, projects
from engine.workspace import Workspace
from ui import forms, kit, picks, words
from ui.events import shows_errors
from ui.page import Page
from ui.views import names

ESSENTIAL = ("model", "dataset", "num_train_epochs", "learning_rate")
LEARNS: dict[str, tuple[Kind, ...]] = {"sft": ("sft", "text"), "dpo": ("preference",)}
MISSING = {
    "sft": ("No examples to learn from yet", "Add a file, or the sample data.", "data"),
    "dpo": ("No preferences to learn from yet", "Rate answers, then make pairs of them.", "rate"),
}
GO = {"data": "Add data", "rate": "Rate answers"}
# A dropdown refuses what is not among the choices of this moment, and another event may just have
# changed them. The recipe and the services check every value themselves.
RAW: dict[str, Any] = {**kit.QUIET, "preprocess": False}


class Form(NamedTuple):
    """The form of one method; `fields` in the order of `names`."""

    kind: str
    recipe: type[TrainRecipe]
    whole: gr.Column
    empty: gr.Column
    filled: gr.Column
    names: list[str]
    fields: list[gr.components.Component]
    run_name: gr.Textbox
    estimate: gr.HTML
    start: gr.Button
    as_yaml: gr.Code
    command: gr.HTML


class Plan(NamedTuple):
    """What a filled form would do, before it is started."""

    rows: int
    steps: int
    held_out: int
    notes: tuple[str, ...] = ()


def methods() -> dict[str, type[TrainRecipe]]:
    """The recipes that train, by kind; the built-in ones first."""
    found = {kind: plugins.load("jobs", kind).Recipe for kind in plugins.names("jobs")}
    return {kind: recipe for kind, recipe in found.items() if issubclass(recipe, TrainRecipe)}


def build(ws: Workspace, page: Page) -> None:
    """The tab: one card a method, and the form of the chosen one."""
    gr.HTML(kit.head("Train", "Make a small adapter on top of a model; the base stays as it is."))
    known = methods()
    first = next(iter(known))
    cards = picks.component("train-method", method_cards(known, first))
    made = [_form(page, kind, recipe, kind == first) for kind, recipe in known.items()]
    _wire_cards(cards, made)
    for form in made:
        _wire_form(ws, page, form)


def method_cards(known: dict[str, type[TrainRecipe]], chosen: str) -> str:
    """The methods in plain words; an installed one says what its recipe's docstring says."""
    shown = []
    for kind, recipe in known.items():
        title, text = words.METHODS.get(kind, (kind.upper(), (recipe.__doc__ or "").split("\n")[0]))
        html = f'<div class="tl-card-head"><b>{escape(title)}</b></div><p>{escape(text)}</p>'
        shown.append(picks.Pick(kind, html))
    return picks.cards(shown, chosen)


def choices(
    ws: Workspace, project: str | None, kind: str, model: str | None, dataset: str | None
) -> tuple[Any, ...]:
    """Dropdowns of models and datasets that fit, what was chosen kept; form or empty state."""
    if not project:
        nothing = gr.Dropdown(choices=[], value=None)
        return nothing, nothing, gr.Column(visible=True), gr.Column(visible=False)
    sets = fitting(datasets.list_all(ws, LOCAL, project), kind)
    found = ordered(models.list_all(ws, LOCAL, project), kind)
    called = names.of_models(ws, project)
    return (
        _dropdown([(_model_label(one, called), one.id) for one in found], model),
        _dropdown([(f"{d.label} ({d.train_rows:,} rows to learn)", d.id) for d in sets], dataset),
        gr.Column(visible=not sets),
        gr.Column(visible=bool(sets)),
    )


def fitting(found: Sequence[Dataset], kind: str) -> list[Dataset]:
    """The datasets that a method learns from, newest first; all for a method not known here."""
    kinds = LEARNS.get(kind)
    return [one for one in found if kinds is None or one.kind in kinds]


def ordered(found: Sequence[Model], kind: str) -> list[Model]:
    """The models to start from, the usual one first.

    Preferences refine a model that has seen examples: the newest adapter trained by example comes
    first, then other adapters, bases last. All else starts from a base.
    """
    bases = [one for one in found if one.kind == "base"]
    newest = [one for one in reversed(found) if one.kind == "adapter"]
    if kind != "dpo":
        return bases + newest
    return sorted(newest, key=lambda one: one.info.get("method") != "sft") + bases


def plan(ws: Workspace, recipe: TrainRecipe) -> Plan:
    """Rows, steps and held-out rows of a training, counted as the trainer counts them."""
    data = datasets.get(ws, LOCAL, recipe.dataset)
    model = models.get(ws, LOCAL, recipe.model)
    batches = ceil(data.train_rows / recipe.per_device_train_batch_size)
    gathered = recipe.trl.get("gradient_accumulation_steps", 1)
    if isinstance(gathered, int) and gathered > 1:
        batches = ceil(batches / gathered)
    notes = []
    if model.kind == "adapter":
        name = names.of_models(ws, model.project_id)[model.id]
        notes.append(f"It goes on from {name}, in its shape: LoRA options have no effect.")
    if not data.held_out_rows:
        notes.append("Nothing is held out, so you will not see when it begins to memorise.")
    steps = recipe.max_steps or ceil(batches * recipe.num_train_epochs)
    return Plan(data.train_rows, steps, data.held_out_rows, tuple(notes))


def estimate(ws: Workspace, project: str | None, recipe: TrainRecipe) -> tuple[str, str, str]:
    """The plan as HTML, the recipe as YAML, and the command that does the same."""
    found = plan(ws, recipe)
    numbers = [
        kit.stat("Rows to learn", f"{found.rows:,}"),
        kit.stat("Steps", f"{found.steps:,}", f"{recipe.per_device_train_batch_size} rows each"),
        kit.stat("Held-out rows", f"{found.held_out:,}", f"measured {recipe.evals} times"),
    ]
    notes = "".join(kit.notice(note, "neutral") for note in found.notes)
    text = forms.as_yaml(
        recipe,
        model=models.get(ws, LOCAL, recipe.model).name,
        dataset=datasets.get(ws, LOCAL, recipe.dataset).label,
    )
    name = projects.get(ws, LOCAL, project).name if project else ""
    command = f"tuneloop train recipe.yaml --project {quote(name)}"
    return kit.stats(numbers) + notes, text, command


def start(
    ws: Workspace,
    project: str | None,
    recipe: type[TrainRecipe],
    values: dict[str, Any],
    name: str | None,
) -> Job:
    """The training, queued; UserError names the field that is wrong."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    filled = forms.read(recipe, values)
    called = (name or "").strip() or default_name(ws, recipe.KIND, str(values["dataset"]))
    return jobs.submit(ws, LOCAL, project, filled, called)


def default_name(ws: Workspace, kind: str, dataset: str) -> str:
    """What a run is called unless a person says otherwise: "SFT on faq@1"."""
    return f"{kind.upper()} on {datasets.get(ws, LOCAL, dataset).label}"


def _form(page: Page, kind: str, recipe: type[TrainRecipe], visible: bool) -> Form:
    with gr.Column(visible=visible, elem_id=f"train-{kind}") as whole:
        with gr.Column(visible=False) as empty:
            title, text, tab = MISSING.get(kind, MISSING["sft"])
            gr.HTML(kit.empty(title, text))
            kit.goto(gr.Button(GO[tab], variant="primary", elem_id=f"{kind}-go"), page, tab)
        with gr.Column() as filled:
            first, second = ESSENTIAL[:2], ESSENTIAL[2:]
            with gr.Row():
                fields = forms.build(recipe, only=first)
            with gr.Row():
                fields += forms.build(recipe, only=second)
                run_name = gr.Textbox(
                    label="Name of the run",
                    info="How you will find it again",
                    placeholder="made from the dataset",
                    max_length=80,
                    elem_id=f"{kind}-name",
                )
            with gr.Accordion("More options", open=False, elem_id=f"{kind}-more"):
                fields += _more(recipe)
            shown = gr.HTML("", elem_id=f"{kind}-estimate")
            go = gr.Button("Start training", variant="primary", elem_id=f"{kind}-start")
            with gr.Accordion("Show as YAML", open=False, elem_id=f"{kind}-as-yaml"):
                command = gr.HTML("")
                code = gr.Code("", language="yaml", interactive=False, label="recipe.yaml")
    order = [*first, *second, *_rest(recipe), *forms.boxes_of_yaml(recipe)]
    return Form(
        kind, recipe, whole, empty, filled, order, fields, run_name, shown, go, code, command
    )


def _more(recipe: type[TrainRecipe]) -> list[gr.components.Component]:
    with gr.Row(elem_classes="tl-more"):
        numbers = forms.build(recipe, only=_rest(recipe))
    with gr.Row(elem_classes="tl-more"):
        return numbers + forms.build(recipe, only=forms.boxes_of_yaml(recipe))


def _rest(recipe: type[TrainRecipe]) -> list[str]:
    return forms.names(recipe, skip=[*ESSENTIAL, *forms.boxes_of_yaml(recipe)])


def _wire_cards(cards: gr.HTML, made: Sequence[Form]) -> None:
    def on_method(event: gr.EventData) -> Any:
        shown = [gr.Column(visible=form.kind == picks.picked(event)) for form in made]
        return shown if len(shown) > 1 else shown[0]

    cards.click(on_method, None, [form.whole for form in made], **kit.QUIET)


def _wire_form(ws: Workspace, page: Page, form: Form) -> None:
    @shows_errors
    def on_show(project: str | None, model: str | None, dataset: str | None) -> tuple[Any, ...]:
        return choices(ws, project, form.kind, model, dataset)

    def on_change(project: str | None, *values: Any) -> tuple[Any, ...]:
        return _estimated(ws, project, form, values)

    @shows_errors
    def on_start(project: str | None, name: str | None, *values: Any) -> gr.Tabs:
        job = start(ws, project, form.recipe, dict(zip(form.names, values, strict=True)), name)
        gr.Success(f"{job.name} is queued. Its losses appear here as it learns.", title="Started")
        return gr.Tabs(selected="runs")

    chosen = form.fields[:2]
    shown = [*chosen, form.empty, form.filled]
    gr.on([page.tab.select, page.project.change], on_show, [page.project, *chosen], shown, **RAW)
    page.ready.then(on_show, [page.project, *chosen], shown, **RAW)
    gr.on(
        [field.change for field in form.fields],
        shows_errors(on_change),
        [page.project, *form.fields],
        [form.estimate, form.as_yaml, form.command, form.start],
        trigger_mode="always_last",
        **RAW,
    )
    form.start.click(on_start, [page.project, form.run_name, *form.fields], page.tabs, **RAW)


def _estimated(
    ws: Workspace, project: str | None, form: Form, values: Sequence[Any]
) -> tuple[Any, ...]:
    """The estimate while the form is filled; what is wrong with it is said in its place."""
    given = dict(zip(form.names, values, strict=True))
    if not (given["model"] and given["dataset"]):
        return "", "", "", gr.Button(interactive=False)
    try:
        recipe = forms.read(form.recipe, given)
        html, text, command = estimate(ws, project, recipe)
    except UserError as error:
        return kit.notice(str(error), "bad"), gr.skip(), gr.skip(), gr.Button(interactive=False)
    return html, text, _command(command), gr.Button(interactive=True)


def _command(command: str) -> str:
    lead = "Save this as recipe.yaml; in a terminal, the same training is:"
    return f'<p class="tl-command">{lead}<code>{escape(command)}</code></p>'


def _dropdown(found: list[tuple[str, str]], chosen: str | None) -> gr.Dropdown:
    ids = [each for _, each in found]
    value = chosen if chosen in ids else next(iter(ids), None)
    return gr.Dropdown(choices=found, value=value)


def _model_label(one: Model, called: dict[str, str]) -> str:
    return f"{called[one.id]} (base)" if one.kind == "base" else called[one.id]
