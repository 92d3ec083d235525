"""The form of one method: what is chosen, what it will take, and the buttons that start things."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.recipe import TrainRecipe
from ui.components import choice_cards, forms, markup
from ui.components.page import Page
from ui.pages.training import methods, presets, studies

CHOSEN = forms.CHOSEN
PACE = ("num_train_epochs", "learning_rate")
Row = tuple[gr.Button, gr.Button, gr.Button, gr.Button, gr.Button]
APART = (*CHOSEN, *PACE, "tuning")  # all else is under "More options"


class Studies(NamedTuple):
    """What is chosen, what it would take, and the buttons; of a curve first, then of a search."""

    chosen: "Study"
    words: tuple[gr.HTML, gr.HTML]
    ask: tuple[gr.Button, gr.Button]


class Buttons(NamedTuple):
    """What may be started from a form."""

    start: gr.Button
    anyway: gr.Button
    smaller: gr.Button
    measure: gr.Button
    first_look: gr.Button
    pairs: gr.Button
    curve: gr.Button
    sweep: gr.Button


class EstimateParts(NamedTuple):
    """What an estimate draws, in this order."""

    panel: gr.HTML
    preset: gr.Radio
    preset_words: gr.HTML
    tunings: gr.HTML
    code: gr.Code
    command: gr.HTML
    curve_words: gr.HTML
    sweep_words: gr.HTML


class Study(NamedTuple):
    """What is chosen for trainings that train many times."""

    steps: gr.Number
    trials: gr.Number
    tried: gr.CheckboxGroup


class TrainingForm(NamedTuple):
    """The form of one method; `fields` in the order of `names`."""

    kind: str
    recipe: type[TrainRecipe]
    whole: gr.Column
    empty: gr.Column
    filled: gr.Column
    offer: gr.Column
    offer_words: gr.HTML
    names: list[str]
    fields: list[gr.components.Component]
    run_name: gr.Textbox
    price: gr.Number
    turn: gr.State  # another number asks for another estimate
    study: Study
    shown: EstimateParts
    buttons: Buttons

    @property
    def chosen(self) -> list[gr.components.Component]:
        """The dropdowns whose choices come from the project."""
        return [self.field(name) for name in self.names if name in forms.OFFERED]

    def field(self, name: str) -> gr.components.Component:
        """The box of a field."""
        return self.fields[self.names.index(name)]


def build(page: Page, kind: str, recipe: type[TrainRecipe]) -> TrainingForm:
    """The form, hidden until its method is chosen."""
    with gr.Column(visible=False, elem_id=f"train-{kind}") as whole:
        with gr.Column(visible=False, elem_classes="tl-offer") as offer:
            offer_words = gr.HTML("")
            pairs = gr.Button("Make the pairs and use them", elem_id=f"{kind}-pairs")
        with gr.Column(visible=False) as empty:
            _nothing(page, kind, recipe)
        with gr.Column(visible=False) as filled:
            chosen = _chosen(recipe)
            row = _actions(kind)
            panel = gr.HTML("", elem_id=f"{kind}-estimate")
            names, fields, run_name, preset, words, tunings = _settings(kind, recipe, chosen)
            price = _cost(kind)
            code, command = _as_file(kind)
            study, study_words, ask = _studies(kind, recipe)
    start, anyway, smaller, measure, first_look = row
    buttons = Buttons(start, anyway, smaller, measure, first_look, pairs, *ask)
    shown = EstimateParts(panel, preset, words, tunings, code, command, *study_words)
    return TrainingForm(
        kind, recipe, whole, empty, filled, offer, offer_words, names, fields, run_name, price,
        gr.State(0.0), study, shown, buttons,
    )  # fmt: skip


def _nothing(page: Page, kind: str, recipe: type[TrainRecipe]) -> None:
    title, text, tab = methods.missing(recipe)
    gr.HTML(markup.empty(title, text))
    go = gr.Button(methods.GO[tab], variant="primary", elem_id=f"{kind}-go")
    markup.goto(go, page, tab)


def _chosen(recipe: type[TrainRecipe]) -> list[gr.components.Component]:
    """The model, the dataset and the reward: all that has no default."""
    with gr.Row():
        return forms.build(recipe, only=CHOSEN)


def _actions(kind: str) -> Row:
    """What may be started, in the first screen: all settings below the estimate have defaults."""
    with gr.Row(elem_classes="tl-actions tl-start"):
        start = gr.Button("Start training", variant="primary", elem_id=f"{kind}-start")
        anyway = gr.Button("Start anyway", visible=False, elem_id=f"{kind}-anyway")
        smaller = gr.Button("Use settings that fit", visible=False, elem_id=f"{kind}-smaller")
        first_look = gr.Button("Try a tenth", visible=False, elem_id=f"{kind}-first")
        measure = gr.Button("Measure", visible=False, elem_id=f"{kind}-measure")
    return start, anyway, smaller, measure, first_look


def _settings(
    kind: str, recipe: type[TrainRecipe], chosen: list[gr.components.Component]
) -> tuple[Any, ...]:
    fields = list(chosen)
    with gr.Row(elem_classes="tl-preset"):
        preset = gr.Radio(
            list(presets.NAMES), value=presets.USUAL, label="Length", scale=2,
            elem_id=f"{kind}-preset",
        )  # fmt: skip
        words = gr.HTML("", elem_id=f"{kind}-preset-words")
    with gr.Row():
        fields += forms.build(recipe, only=PACE)
        run_name = _name(kind)
    tunings = choice_cards.component(f"{kind}-tunings")
    with gr.Column(elem_classes="tl-unseen"):  # the cards above are what people see of it
        fields += forms.build(recipe, only=("tuning",))
    with gr.Accordion("More options", open=False, elem_id=f"{kind}-more"):
        fields += more(recipe)
    parts = (CHOSEN, PACE, ("tuning",), _rest(recipe), forms.boxes_of_yaml(recipe))
    order = [name for part in parts for name in forms.names(recipe, only=part)]
    return order, fields, run_name, preset, words, tunings


def more(recipe: type[TrainRecipe]) -> list[gr.components.Component]:
    """The boxes of all fields that are not essential."""
    with gr.Row(elem_classes="tl-more"):
        numbers = forms.build(recipe, only=_rest(recipe))
    with gr.Row(elem_classes="tl-more"):
        return numbers + forms.build(recipe, only=forms.boxes_of_yaml(recipe))


def _rest(recipe: type[TrainRecipe]) -> list[str]:
    return forms.names(recipe, skip=[*APART, *forms.boxes_of_yaml(recipe)])


def _name(kind: str) -> gr.Textbox:
    return gr.Textbox(
        label="Name",
        info="Name of the job and of its model",
        placeholder="made from the dataset",
        max_length=80,
        elem_id=f"{kind}-name",
    )


def _cost(kind: str) -> gr.Number:
    with gr.Accordion("Cost", open=False, elem_id=f"{kind}-cost"):
        return gr.Number(
            0, label="Price of this machine", info="USD per hour",
            elem_id=f"{kind}-price",
        )  # fmt: skip


def _as_file(kind: str) -> tuple[gr.Code, gr.HTML]:
    with gr.Accordion("Show as YAML", open=False, elem_id=f"{kind}-as-yaml"):
        command = gr.HTML("")
        code = gr.Code("", language="yaml", interactive=False, label="recipe.yaml")
    return code, command


def _studies(kind: str, recipe: type[TrainRecipe]) -> Studies:
    """What one can find out by training several times; for methods that can be compared so."""
    tries = studies.tries(recipe)
    with gr.Accordion(
        "Learning curve and hyperparameter search", open=False, visible=studies.possible(recipe),
        elem_id=f"{kind}-studies",
    ):  # fmt: skip
        steps = gr.Number(40, label="Steps per training", precision=0, step=10,
                          elem_id=f"{kind}-study-steps")  # fmt: skip
        with gr.Row(elem_classes="tl-studies"):
            with gr.Column(min_width=290):
                gr.HTML(_study("Learning curve", "Trains on growing shares of your rows, twice "
                               "each, for the epochs of the form and at least the steps above. "
                               "Shows whether more data would help."))  # fmt: skip
                enough = gr.HTML("", elem_id=f"{kind}-curve-words")
                curve = gr.Button("Start learning curve", elem_id=f"{kind}-curve")
            with gr.Column(min_width=290):
                gr.HTML(_study("Hyperparameter search", "Each trial learns from those before "
                               "it; the best model is kept."))  # fmt: skip
                tried = gr.CheckboxGroup(tries, value=["learning_rate"], label="Hyperparameters",
                                         elem_id=f"{kind}-tried")  # fmt: skip
                trials = gr.Number(8, label="Trials", precision=0, elem_id=f"{kind}-trials")
                search = gr.HTML("", elem_id=f"{kind}-sweep-words")
                sweep = gr.Button("Start search", elem_id=f"{kind}-sweep")
    return Studies(Study(steps, trials, tried), (enough, search), (curve, sweep))


def _study(title: str, text: str) -> str:
    return f'<div class="tl-study"><h4>{title}</h4><p>{text}</p></div>'
