"""What a look changes on the Training page: choices, estimates and filled boxes as updates."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.recipe import default_epochs
from engine.services import projects
from engine.services.data import datasets
from engine.services.preferences import build
from engine.services.training import methods as training_methods
from engine.workspace import Workspace
from ui.components import forms, markup
from ui.components.page import NavigationTarget
from ui.pages.training import before_start, methods
from ui.pages.training.before_start import FormPicture
from ui.pages.training.form import EstimateParts, TrainingForm
from ui.web.session import who

NO_MODEL = "The first model is being prepared; Home shows the progress."


class Everything(NamedTuple):
    """The tab for a project: the method that is seen, the cards, updates of the forms' `parts`."""

    method: str
    cards: str
    parts: list[Any]


def parts(form: TrainingForm) -> list[Any]:
    """What `everything` draws of a form, in its order."""
    epochs = form.field("num_train_epochs")
    return [form.whole, form.empty, form.filled, form.offer, form.offer_words, epochs, *form.chosen]


def wanted(
    made: Sequence[TrainingForm], aim: NavigationTarget, values: Sequence[Any]
) -> list[list[Any]]:
    """For each form the values of its dropdowns, with what another tab aims at among them."""
    left = iter(values)
    found = []
    for form in made:
        own = {name: next(left) for name in form.names if name in forms.OFFERED}
        if aim.dataset and form.kind == aim.method:
            own["dataset"] = aim.dataset
        found.append(list(own.values()))
    return found


def everything(
    ws: Workspace,
    project: str | None,
    made: Sequence[TrainingForm],
    method: str,
    values: list[list[Any]],
    aimed: bool = False,
) -> Everything:
    """The tab drawn for a project; the method that was seen stays while it is known.

    `aimed`: another tab chose the dataset, so the epochs are made to fit it.
    The forms that are not seen are hidden and nothing else: each box that changes asks the server.
    """
    versions = datasets.list_all(ws, who(ws), project) if project else []
    seen = method if method in training_methods.known() else methods.first_choice(versions)
    offer = votes_to_use(ws, project) if project else 0
    drawn = []
    for form, own in zip(made, values, strict=True):
        if form.kind == seen:
            drawn += _form(ws, project, form, own, _Drawing(offer, aimed))
        else:
            drawn += _hidden(form)
    return Everything(seen, methods.cards(versions, seen), drawn)


def awaits_project(ws: Workspace, project: str | None) -> bool:
    """Whether the browser has yet to say which project is open; the tab is drawn when it does.

    Drawn before, it would say for a moment that there are no data. An answer that comes late
    would say so until the next visit.
    """
    return project is None and bool(projects.list_all(ws, who(ws)))


def votes_to_use(ws: Workspace, project: str) -> int:
    """Pairs that the votes of the project would make now, where no dataset holds them yet."""
    try:
        ready = build.count(ws, who(ws), project)
    except UserError:  # no rating round
        return 0
    made = build.list_all(ws, who(ws), project)
    return ready if ready >= build.FEWEST and not (made and made[0].pairs >= ready) else 0


def estimate(
    ws: Workspace,
    project: str,
    form: TrainingForm,
    values: Sequence[Any],
    asked: before_start.StartChoice,
) -> list[Any]:
    """The estimate while the form is filled; what is wrong with it is said in its place."""
    given = dict(zip(form.names, values, strict=True))
    if not given["model"]:
        return _refused(markup.notice(NO_MODEL, "busy"))
    if not all(given[name] for name in form.names if name in forms.CHOSEN):
        return _refused("")
    try:
        found = before_start.picture(ws, project, forms.read(form.recipe, given), asked)
    except UserError as error:
        return _refused(markup.notice(str(error), "bad"))
    return _drawn(found)


def enabled(form: TrainingForm) -> list[gr.Button]:
    """The buttons that an estimate shows and hides, in its order."""
    known = form.buttons
    shown = [known.start, known.anyway, known.smaller, known.measure, known.first_look]
    return [*shown, known.curve, known.sweep]


def nothing() -> list[Any]:
    """No change of an estimate: another method is seen."""
    return [gr.skip()] * (len(EstimateParts._fields) + 7)


def fills(form: TrainingForm, changes: Mapping[str, Any]) -> list[Any]:
    """Boxes of the form filled; the others stay as they are."""
    return [
        ("" if changes[name] is None else changes[name]) if name in changes else gr.skip()
        for name in form.names
    ]


def _hidden(form: TrainingForm) -> list[Any]:
    return [gr.Column(visible=False), *([gr.skip()] * (len(parts(form)) - 1))]


class _Drawing(NamedTuple):
    offer: int  # pairs that votes would make
    aimed: bool


def _form(
    ws: Workspace, project: str | None, form: TrainingForm, own: list[Any], drawing: _Drawing
) -> list[Any]:
    found = methods.choices(ws, project, form.recipe) if project else methods.NO_CHOICES
    learns = bool(found.datasets)
    offered = drawing.offer if "preference" in form.recipe.LEARNS else 0
    words = f"Your votes make {offered} pairs that no dataset holds yet." if offered else ""
    before = dict(zip((name for name in form.names if name in forms.OFFERED), own, strict=True))
    boxes = [_dropdown(name, found.of(name), value) for name, value in before.items()]
    return [
        gr.Column(visible=True),
        gr.Column(visible=not learns),
        gr.Column(visible=learns),
        gr.Column(visible=bool(offered)),
        markup.notice(words, "good") if words else "",
        _epochs(ws, found.datasets, before["dataset"], drawing.aimed),
        *boxes,
    ]


def _epochs(ws: Workspace, found: list[tuple[str, str]], before: Any, aimed: bool) -> Any:
    """Those that fit a dataset which nobody has chosen in this form; else what is there stays."""
    known = [dataset for _, dataset in found]
    if not known or (before in known and not aimed):
        return gr.skip()
    chosen = before if before in known else known[0]
    return default_epochs(datasets.get(ws, who(ws), chosen).train_rows)


def _dropdown(name: str, found: list[tuple[str, str]], chosen: Any) -> gr.Dropdown:
    if name in forms.OPTIONAL:
        found = [(forms.EMPTY[name], ""), *found]
    ids = [each for _, each in found]
    value = chosen if chosen in ids else next(iter(ids), None)
    return gr.Dropdown(choices=found, value=value)


def _drawn(found: FormPicture) -> list[Any]:
    study = gr.Button(interactive=True)
    return [
        found.panel,
        gr.Radio(value=found.preset),
        found.preset_words,
        found.tunings,
        found.yaml,
        _command(found.command),
        found.curve_words,
        found.sweep_words,
        gr.Button(interactive=found.possible),
        gr.Button(visible=found.anyway),
        gr.Button(visible=found.smaller, variant="primary" if found.smaller else "secondary"),
        _button(found.measure_label),
        _button(found.first_look_label),
        study,
        study,
    ]


def _refused(panel: str) -> list[Any]:
    off, gone = gr.Button(interactive=False), gr.Button(visible=False)
    same = [gr.skip()] * 5  # the preset, its words, the ways to tune, the file and the command
    return [panel, *same, "", "", off, gone, gone, gone, gone, off, off]


def _button(text: str) -> gr.Button:
    return gr.Button(text or "–", visible=bool(text))


def _command(command: str) -> str:
    lead = "Save this as recipe.yaml; in a terminal, the same training is:"
    return f'<p class="tl-command">{lead}<code>{escape(command)}</code></p>'
