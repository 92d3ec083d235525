"""The Data page: upload, preview and fix files, and keep them as dataset versions."""

from pathlib import Path
from typing import Any

import gradio as gr

from engine.core.dataset import HELD_OUT_SHARE, Dataset
from engine.services.data import datasets
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import Page
from ui.pages.data import opened_version
from ui.pages.data import upload as upper
from ui.pages.data import versions as lower
from ui.pages.data.preview import open_project
from ui.web.errors import shows_errors
from ui.web.session import who

SAMPLES = (("library_faq.jsonl", HELD_OUT_SHARE), ("library_prompts.jsonl", 0.0))
ABOUT = "Add training examples, preview what a model learns from them, and fix what is wrong."


def build(ws: Workspace, page: Page) -> None:
    """The tab: a file and what is in it, then the versions that the project holds."""
    gr.HTML(markup.head("Data", ABOUT))
    next_step = lower.build_next()
    form = upper.build()
    listing, opened, more = lower.build(next_step)

    @shows_errors
    def on_sample(project: str) -> tuple[Any, ...]:
        kept = add_samples(ws, project)
        gr.Success("A library's help desk: questions with answers, and prompts.", title="Added")
        return opened_version.show(ws, kept)

    def opens(kept: Dataset) -> tuple[Any, ...]:
        return opened_version.show(ws, kept)

    upper.wire(ws, page, form, [*opened], opens)
    form.sample.click(on_sample, page.project, [*opened], **markup.QUIET)
    lower.wire(lower.Wiring(ws, page, listing, opened, more))


def add_samples(ws: Workspace, project: str | None) -> Dataset:
    """The demo's own files in the project; the one to train on."""
    folder = Path(datasets.__file__).parents[2] / "orchestrate"
    questions, _ = (
        datasets.add(
            ws, who(ws), open_project(project), folder / file, file, held_out=share, seed=7
        )
        for file, share in SAMPLES
    )
    return questions
