"""A folded box on the Rating page: datasets for KTO and SFT, made of the same votes as pairs."""

from functools import partial
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.services.data import datasets
from engine.services.preferences import build as preferences_build
from engine.services.preferences.build import METHODS, WORDS, Rows, left_out
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import NavigationTarget, Page
from ui.web.errors import shows_errors
from ui.web.session import who

ABOUT = (
    "The votes of all rating rounds can teach in two more ways. <b>Rated answers</b>, for KTO: "
    "each answer alone, good or bad. <b>Accepted answers</b>, for supervised fine-tuning: texts "
    "that raters improved, and answers that they would accept; these teach facts, where "
    "preferences teach style."
)


class Made(NamedTuple):
    """The method and the dataset version that the training button leads to."""

    method: str
    dataset: str


def build(ws: Workspace, page: Page) -> None:
    """Two buttons, what they made, and the way to the training."""
    with gr.Accordion("More datasets from these votes", open=False, elem_id="rate-datasets-box"):
        gr.HTML(f'<p class="tl-hint">{ABOUT}</p>')
        with gr.Row(elem_classes="tl-actions"):
            ratings = gr.Button("Make rated answers", elem_id="rate-make-ratings")
            accepted = gr.Button("Make accepted answers", elem_id="rate-make-accepted")
        made = gr.State(None)
        report = gr.HTML("", visible=False, elem_id="rate-dataset-made")
        with gr.Row(elem_classes="tl-actions"):
            train = gr.Button("Train on them", variant="primary", visible=False,
                              elem_id="rate-dataset-train")  # fmt: skip
    makes, out = shows_errors(partial(make, ws)), [made, report, train]
    ratings.click(partial(makes, "ratings"), page.project, out, **markup.QUIET)
    accepted.click(partial(makes, "accepted"), page.project, out, **markup.QUIET)
    train.click(shows_errors(aim), made, [page.target, page.tabs], **markup.QUIET)


def make(ws: Workspace, of: Rows, project: str | None) -> list[Any]:
    """The dataset version of every rating round's votes, in a sentence and as a target."""
    if not project:
        raise UserError("No project is open.", "Choose one on top of the page.")
    export = preferences_build.make(ws, who(ws), project, of=of)
    dataset = datasets.get(ws, who(ws), export.dataset_id)
    out = left_out(export.counts)
    words = (
        f"<b>{export.pairs} {WORDS[of]}</b> from {export.counts['votes']} votes, kept as "
        f"{escape(dataset.label)}.<br><span>{escape(f'Left out: {out}.' if out else '')}</span>"
    )
    report = gr.HTML(f'<div class="tl-made">{words}</div>', visible=True)
    train = gr.Button(f"Train with {METHODS[of]}", visible=True)
    return [Made(METHODS[of].lower(), dataset.id), report, train]


def aim(made: Made | None) -> tuple[NavigationTarget, Any]:
    """Training with the method and the dataset version that were made."""
    if made is None:
        raise UserError("Nothing has been made yet.", "Make rated or accepted answers first.")
    method, dataset = made
    return NavigationTarget(method=method, dataset=dataset), gr.Tabs(selected="training")
