"""The panel of the auto loop: generation after generation until a stop rule holds."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.services import registered_plugins
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import auto_loop_start
from engine.services.rating.rounds import RATEABLE
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.page import Page
from ui.web.errors import shows_errors
from ui.web.session import who

PEOPLE = "people"
ABOUT = (
    "It repeats the loop: collect votes, make preference pairs, train, evaluate, and compare the "
    "new model blind. It waits for people's votes, holds back a model that fails a regression "
    "check, and stops by the rules above. Stopped and started again, it continues from the same "
    "step."
)


class AutoLoopPanel(NamedTuple):
    """The panel; `fields` are what `start` takes after the project and the view."""

    progress: gr.HTML
    start: gr.Button
    stop: gr.Button
    fields: list[Any]


def build(ws: Workspace, page: Page) -> AutoLoopPanel:
    """The components, in the layout that is open."""
    with gr.Accordion("Auto loop", open=False, elem_id="loop-itself"):
        gr.HTML(f'<p class="tl-hint">{ABOUT}</p>')
        with gr.Row():
            model = gr.Dropdown([], value=None, label="Start from", elem_id="loop-model",
                                info="The champion comes first once there is one")  # fmt: skip
            asked = gr.Dropdown([], value=None, label="Questions to rate", elem_id="loop-dataset")
            tests = gr.Dropdown([], value=None, label="Tested on the held-out rows of",
                                elem_id="loop-test")  # fmt: skip
        with gr.Row():
            rater = gr.Dropdown(raters(), value=PEOPLE, label="Who votes", elem_id="loop-rater")
            generations = gr.Slider(
                1,
                10,
                default("generations"),
                step=1,
                label="Generations at most",
                elem_id="loop-generations",
            )
            prompts = gr.Slider(
                24,
                200,
                default("prompts"),
                step=1,
                label="Comparisons a generation",
                elem_id="loop-prompts",
            )
            budget = gr.Number(0, label="Votes at most", precision=0, minimum=0,
                               info="0: no limit", elem_id="loop-budget")  # fmt: skip
        go = gr.Button("Start", variant="primary", elem_id="loop-start")
    progress = gr.HTML("", visible=False, elem_id="loop-going")
    stops = gr.Button("Stop the auto loop", visible=False, elem_id="loop-stop")
    dropdowns = [model, asked, tests]

    @shows_errors
    def offer(project: str | None, *chosen: str | None) -> list[Any]:
        return choices(ws, project, *chosen)

    markup.on_show(page, offer, [page.project, *dropdowns], dropdowns)
    fields = [*dropdowns, rater, generations, prompts, budget]
    return AutoLoopPanel(progress, go, stops, fields)


def default(field: str) -> Any:
    """Where the field of a form begins: at the default of the recipe."""
    return auto_loop_start.recipe().model_fields[field].default


def raters() -> list[tuple[str, str]]:
    """People first, then the simulated raters by the rule they state."""
    known = [
        (f"Simulated: {name.replace('_', ' ')}", name)
        for name in registered_plugins.names("raters")
    ]
    return [("People", PEOPLE), *known]


def choices(ws: Workspace, project: str | None, *chosen: str | None) -> list[Any]:
    """The three dropdowns; what was chosen is kept where it is of this project."""
    if not project:
        return [gr.Dropdown([], value=None) for _ in range(3)]
    known = [one for one in datasets.list_all(ws, who(ws), project) if one.kind in RATEABLE]
    offered = [
        names.choices(ws, project),
        [(one.label, one.id) for one in known if one.train_rows],
        [(one.label, one.id) for one in known if one.held_out_rows and one.kind == "sft"],
    ]
    usual = auto_loop_start.usually(ws, who(ws), project)
    found = []
    for offer, before, fits in zip(offered, chosen, usual, strict=True):
        ids = [each for _, each in offer]
        found.append(gr.Dropdown(offer, value=before if before in ids else fits))
    return found


def start(
    ws: Workspace,
    project: str,
    _: Any,
    model: str | None,
    dataset: str | None,
    tests: str | None,
    rater: str,
    generations: float,
    prompts: float,
    budget: float | None,
) -> str:
    """Queue the auto loop; the message to show."""
    auto_loop_start.start(
        ws,
        who(ws),
        project,
        model=model,
        dataset=dataset,
        dataset_test=tests,
        rater=None if rater == PEOPLE else rater,
        generations=int(generations),
        prompts=int(prompts),
        most_votes=int(budget) if budget else None,
    )
    return "Every step appears here and on its own page."


def stop(ws: Workspace, project: str, _: Any) -> str:
    """Ask the auto loop to stop; UserError where none runs."""
    live = auto_loop_start.newest(ws, who(ws), project)
    if live is None:
        raise UserError("No auto loop is running.", "Start one first.")
    lifecycle.cancel(ws, who(ws), live.id)
    return "It stops after its current step."
