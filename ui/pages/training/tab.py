"""The Training page: choose a method, see what it will take, start."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.core.recipe import TrainRecipe
from engine.services.data import datasets
from engine.services.jobs import kinds, lifecycle
from engine.services.models import registry
from engine.services.preferences import build as preferences_build
from engine.services.training import estimate
from engine.services.training import methods as training_methods
from engine.workspace import Workspace
from ui.components import choice_cards, forms, markup
from ui.components.markup import RAW, EventOptions
from ui.components.page import NavigationTarget, Page
from ui.pages.training import before_start, methods, presets, recipe_panel, refresh, studies
from ui.pages.training import form as layout
from ui.pages.training.form import TrainingForm
from ui.pages.training.recipe_panel import RecipePanel
from ui.web.errors import shows_errors
from ui.web.session import who

AT_ONCE: EventOptions = {**RAW, "queue": False}  # takes milliseconds; people type meanwhile
POLL_EVERY_S = 3.0


class TrainingParts(NamedTuple):
    """What all forms share, and the forms."""

    ws: Workspace
    page: Page
    method: gr.State  # the one whose form is seen
    warmup: gr.State  # the job that measures now
    cards: gr.HTML
    forms: list[TrainingForm]


def build(ws: Workspace, page: Page) -> None:
    """The tab: one card a method, and the form of the chosen one."""
    gr.HTML(
        markup.head("Training", "Train a model on your data. The base model itself never changes.")
    )
    cards = choice_cards.component("train-method", methods.cards([], ""))
    made = [layout.build(page, kind, one) for kind, one in training_methods.known().items()]
    tab = TrainingParts(ws, page, gr.State(""), gr.State(""), cards, made)
    _wire_choice(tab, recipe_panel.build())
    _wire_warmup(tab)
    _wire_first_model(ws, tab)
    for form in tab.forms:
        _wire_estimate(tab, form)
        _wire_fills(tab, form)
        _wire_starts(tab, form)


def start(
    ws: Workspace,
    project: str | None,
    recipe: TrainRecipe,
    name: str | None,
    price: Any = 0,
    anyway: bool = False,
) -> Job:
    """The training, queued, with what was said of it; UserError where it can't fit.

    `anyway` starts it although its memory should not suffice.
    """
    called = (name or "").strip() or default_name(ws, recipe)
    usd = before_start.usd_per_hour(price)
    return estimate.submit(ws, who(ws), opened(project), recipe, called, usd, anyway)


def start_first_look(
    ws: Workspace, project: str | None, recipe: TrainRecipe, name: str | None, price: Any = 0
) -> Job:
    """A tenth of the training, queued."""
    steps = estimate.estimate(ws, who(ws), opened(project), recipe).steps
    called = f"{(name or '').strip() or default_name(ws, recipe)}, first look"
    return start(ws, project, before_start.first_look(recipe, steps), called, price)


def smaller(ws: Workspace, project: str | None, recipe: TrainRecipe) -> TrainRecipe:
    """The recipe that would fit; UserError where there is none."""
    expected = estimate.estimate(ws, who(ws), opened(project), recipe)
    if not expected.proposal:
        raise UserError("There is no smaller proposal.", "Choose a smaller model.")
    return before_start.changed(recipe, expected.proposal)


def default_name(ws: Workspace, recipe: TrainRecipe) -> str:
    """What a run is called unless a person says otherwise: "SFT on faq@1"."""
    called = kinds.short_title(recipe.KIND)
    return f"{called} on {datasets.get(ws, who(ws), recipe.dataset).label}"


def opened(project: str | None) -> str:
    """The project that is open; UserError where none is."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    return project


def _wire_choice(tab: TrainingParts, imported: RecipePanel) -> None:
    """Which method is seen, what its dropdowns offer, and what a file of settings fills in."""
    page, made = tab.page, tab.forms
    chosen = [box for form in made for box in form.chosen]
    shown = [part for form in made for part in refresh.parts(form)]

    def drawn(
        project: str | None, aim: NavigationTarget, method: str, values: Sequence[Any]
    ) -> list[Any]:
        if refresh.awaits_project(tab.ws, project):
            return [gr.skip() for _ in out]
        wanted = refresh.wanted(made, aim, values)
        seen = aim.method or method
        found = refresh.everything(tab.ws, project, made, seen, wanted, bool(aim.dataset))
        return [
            found.method,
            NavigationTarget(),
            found.cards,
            *found.parts,
            *_turns(tab, found.method),
        ]

    @shows_errors
    def on_show(project: str | None, aim: NavigationTarget, method: str, *values: Any) -> list[Any]:
        return drawn(project, aim, method, values)

    @shows_errors
    def on_method(event: gr.EventData, project: str | None, *values: Any) -> list[Any]:
        return drawn(project, NavigationTarget(), choice_cards.picked(event), values)

    @shows_errors
    def on_file(path: str | None, program: str | None, method: str | None) -> list[Any]:
        if not path:
            return ["", gr.skip(), *(gr.skip() for form in made for _ in form.fields)]
        found = recipe_panel.read(tab.ws, path, program or "", method or "")
        aim = NavigationTarget(method=str(found.recipe["kind"]))
        return [recipe_panel.report(found), aim, *recipe_panel.fills(found, made)]

    turns = [form.turn for form in made]
    given = [page.project, page.target, tab.method, *chosen]
    out = [tab.method, page.target, tab.cards, *shown, *turns]
    markup.on_show(page, on_show, given, out, RAW)
    tab.cards.click(on_method, [page.project, *chosen], out, **RAW)
    filled = [imported.report, page.target, *(field for form in made for field in form.fields)]
    gr.on(
        [imported.file.change, imported.program.input, imported.method.input],
        on_file, [imported.file, imported.program, imported.method], filled, **markup.QUIET,
    ).success(on_show, given, out, **RAW)  # fmt: skip
    for form in made:
        ask = shows_errors(_asks_for_pairs(tab, form))
        form.buttons.pairs.click(ask, page.project, page.target, **RAW).success(
            on_show, given, out, **RAW
        )


def _turns(tab: TrainingParts, method: str) -> list[Any]:
    """Ask for an estimate of the form that is seen, and of no other."""
    return [time.time() if form.kind == method else gr.skip() for form in tab.forms]


def _asks_for_pairs(
    tab: TrainingParts, form: TrainingForm
) -> Callable[[str | None], NavigationTarget]:
    def on_pairs(project: str | None) -> NavigationTarget:
        made = preferences_build.make(tab.ws, who(tab.ws), opened(project))
        gr.Success(f"{made.pairs} pairs are ready.", title="Made")
        return NavigationTarget(method=form.kind, dataset=made.dataset_id)

    return on_pairs


def _wire_warmup(tab: TrainingParts) -> None:
    """While something is measured, the estimate is made again every few seconds."""

    @shows_errors
    def on_tick(warmup: str, method: str) -> list[Any]:
        if not warmup:
            return [gr.skip()] * (1 + len(tab.forms))
        job = lifecycle.get(tab.ws, who(tab.ws), warmup)
        if job.state is State.FAILED:
            gr.Warning(job.error or "The warm-up failed.", title="Not measured")
        return ["" if job.over else gr.skip(), *_turns(tab, method)]

    out = [tab.warmup, *(form.turn for form in tab.forms)]
    markup.live(tab.page, on_tick, [tab.warmup, tab.method], out, every=POLL_EVERY_S)


def _wire_first_model(ws: Workspace, tab: TrainingParts) -> None:
    """Who comes before the first model is ready sees it as soon as it is."""

    @shows_errors
    def on_tick(project: str | None, method: str, *chosen: Any) -> Any:
        seen = next((n for n, form in enumerate(tab.forms) if form.kind == method), None)
        if not project or seen is None or chosen[seen]:
            return gr.skip()
        return time.time() if registry.list_all(ws, who(ws), project) else gr.skip()

    given = [tab.page.project, tab.method, *(form.field("model") for form in tab.forms)]
    markup.live(tab.page, on_tick, given, tab.page.turn, every=POLL_EVERY_S)


def _wire_estimate(tab: TrainingParts, form: TrainingForm) -> None:
    given = [tab.page.project, tab.method, tab.warmup, form.price, *form.study, *form.fields]
    beside = [form.price, *form.study]

    @shows_errors
    def on_change(
        project: str | None, method: str, warmup: str, price: Any, steps: Any, trials: Any,
        tried: Any, *values: Any,
    ) -> list[Any]:  # fmt: skip
        if not project or method != form.kind:
            return refresh.nothing()
        asked = before_start.StartChoice(price, warmup, studies.asked(steps, trials, tried))
        return refresh.estimate(tab.ws, project, form, values, asked)

    # A preset fills several boxes, and each of them changes by itself: asked by way of the turn,
    # every estimate is of a form whose boxes are all filled, in whatever order the answers come.
    # Through the queue: without it Gradio's page does not hear that a state changed.
    touched = [field.change for field in [*form.fields, *beside]]
    gr.on(touched, time.time, None, form.turn, concurrency_limit=None, **RAW)
    out = [*form.shown, *refresh.enabled(form)]
    form.turn.change(on_change, given, out, trigger_mode="always_last", **AT_ONCE)


def _wire_fills(tab: TrainingParts, form: TrainingForm) -> None:
    """What fills boxes of the form: a preset, a way to tune, the smaller proposal."""

    @shows_errors
    def on_preset(preset: Any, dataset: Any) -> list[Any]:
        if preset not in presets.NAMES or not dataset:
            return refresh.fills(form, {})
        rows = datasets.get(tab.ws, who(tab.ws), str(dataset)).train_rows
        return refresh.fills(form, presets.values(form.recipe, preset, rows))

    def on_tuning(event: gr.EventData) -> str:
        return choice_cards.picked(event)

    @shows_errors
    def on_smaller(project: str | None, *values: Any) -> list[Any]:
        recipe = read(form, values)
        return refresh.fills(form, forms.filled(smaller(tab.ws, project, recipe)))

    which = form.field("dataset")  # another dataset has other rows for the same preset
    for box in (form.shown.preset, which):
        box.input(on_preset, [form.shown.preset, which], form.fields, **AT_ONCE)
    form.shown.tunings.click(on_tuning, None, form.field("tuning"), **AT_ONCE)
    form.buttons.smaller.click(on_smaller, [tab.page.project, *form.fields], form.fields, **RAW)


def _wire_starts(tab: TrainingParts, form: TrainingForm) -> None:
    ws, page = tab.ws, tab.page

    def starts(act: Callable[..., Job]) -> Callable[..., Any]:
        @shows_errors
        def on_start(project: str | None, name: str | None, price: Any, *values: Any) -> Any:
            job = act(ws, project, read(form, values), name, price)
            gr.Success(f"{job.name} is queued. Its progress appears here.", title="Started")
            return NavigationTarget(run=job.id), gr.Tabs(selected="jobs")

        return on_start

    def studied(kind: studies.Study) -> Callable[..., Any]:
        @shows_errors
        def on_study(project: str | None, s: Any, n: Any, tried: Any, *values: Any) -> Any:
            asked, recipe = studies.asked(s, n, tried), read(form, values)
            job = studies.start(ws, opened(project), kind, recipe, asked)
            gr.Success(f"{job.name} is queued. Its progress appears here.", title="Started")
            return NavigationTarget(run=job.id), gr.Tabs(selected="jobs")

        return on_study

    @shows_errors
    def on_measure(project: str | None, *values: Any) -> tuple[str, float]:
        return before_start.warm_up(ws, opened(project), read(form, values)).id, time.time()

    given, out = [page.project, form.run_name, form.price, *form.fields], [page.target, page.tabs]
    form.buttons.start.click(starts(start), given, out, **RAW)
    form.buttons.anyway.click(starts(partial(start, anyway=True)), given, out, **RAW)
    form.buttons.first_look.click(starts(start_first_look), given, out, **RAW)
    measures = [tab.warmup, form.turn]
    form.buttons.measure.click(on_measure, [page.project, *form.fields], measures, **RAW)
    given = [page.project, *form.study, *form.fields]
    form.buttons.curve.click(studied("curve"), given, out, **RAW)
    form.buttons.sweep.click(studied("sweep"), given, out, **RAW)


def read(form: TrainingForm, values: Sequence[Any]) -> TrainRecipe:
    """The recipe that a filled form means; UserError names the field that is wrong."""
    return forms.read(form.recipe, dict(zip(form.names, values, strict=True)))
