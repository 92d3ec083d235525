"""The panel that lets the loop go round by itself."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.services import plug_ins
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import auto
from engine.services.rating.rounds import RATEABLE
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.page import Page
from ui.web.errors import shows_errors
from ui.web.session import who

PEOPLE = "people"
ABOUT = (
    "It asks for votes, makes pairs of them, trains, evaluates, and compares the new model blind. "
    "It waits where people have to vote, never shows raters a model that regressed, and stops "
    "by the rules above. Stop it whenever you like: it goes on where it stood."
)


class Itself(NamedTuple):
    """The panel; `fields` are what `on_start` takes after the project and the view."""

    going: gr.HTML
    start: gr.Button
    stop: gr.Button
    fields: list[Any]
    on_start: Callable[..., str]
    on_stop: Callable[..., str]


def build(ws: Workspace, page: Page) -> Itself:
    """The components, in the layout that is open."""
    with gr.Accordion("Let it go round by itself", open=False, elem_id="loop-itself"):
        gr.HTML(f'<p class="tl-hint">{ABOUT}</p>')
        with gr.Row():
            model = gr.Dropdown([], value=None, label="Start from", elem_id="loop-model",
                                info="The champion comes first once there is one")  # fmt: skip
            asked = gr.Dropdown([], value=None, label="Questions to rate", elem_id="loop-dataset")
            tests = gr.Dropdown([], value=None, label="Tested on the held-out rows of",
                                elem_id="loop-test")  # fmt: skip
        with gr.Row():
            rater = gr.Dropdown(raters(), value=PEOPLE, label="Who votes", elem_id="loop-rater")
            generations = gr.Slider(1, 10, 2, step=1, label="Generations at most",
                                    elem_id="loop-generations")  # fmt: skip
            prompts = gr.Slider(24, 200, 72, step=1, label="Pairs to rate for each",
                                elem_id="loop-prompts")  # fmt: skip
            budget = gr.Number(0, label="Votes at most", precision=0, minimum=0,
                               info="0: no limit", elem_id="loop-budget")  # fmt: skip
        go = gr.Button("Start", variant="primary", elem_id="loop-start")
    going = gr.HTML("", visible=False, elem_id="loop-going")
    stop = gr.Button("Stop it", visible=False, elem_id="loop-stop")
    dropdowns = [model, asked, tests]

    @shows_errors
    def offer(project: str | None, *chosen: str | None) -> list[Any]:
        return choices(ws, project, *chosen)

    markup.on_show(page, offer, [page.project, *dropdowns], dropdowns)
    fields = [*dropdowns, rater, generations, prompts, budget]
    return Itself(going, go, stop, fields, start, halt)


def raters() -> list[tuple[str, str]]:
    """People first, then the simulated raters by the rule they state."""
    known = [(f"Simulated: {name.replace('_', ' ')}", name) for name in plug_ins.names("raters")]
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
    usual = auto.usually(ws, who(ws), project)
    found = []
    for offer, before, fits in zip(offered, chosen, usual, strict=True):
        ids = [each for _, each in offer]
        found.append(gr.Dropdown(offer, value=before if before in ids else fits))
    return found


def start(
    ws: Workspace,
    project: str | None,
    _: Any,
    model: str | None,
    dataset: str | None,
    tests: str | None,
    rater: str,
    generations: float,
    prompts: float,
    budget: float | None,
) -> str:
    """Queue the loop; the sentence says what happens."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    auto.start(
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
    return "Every step shows up here, and in the other tabs."


def halt(ws: Workspace, project: str | None, _: Any) -> str:
    """Stop the loop that goes round; UserError where none does."""
    live = auto.newest(ws, who(ws), project) if project else None
    if live is None:
        raise UserError("No loop goes round by itself.", "Start one first.")
    lifecycle.cancel(ws, who(ws), live.id)
    return "It stops after its current step."
