"""The panel that gives a base without a chat template one that a person chooses."""

from html import escape
from typing import Any, NamedTuple

import gradio as gr

from engine.services.models import template_choice
from engine.services.models.template_choice import TemplateChoice
from engine.workspace import Workspace
from ui.components import markup
from ui.web.errors import shows_errors
from ui.web.session import who

WHY = (
    "A base without a chat template learns plain text only. With one it becomes a base of its own "
    "that learns conversations; the base stays as it is."
)


class TemplatePanel(NamedTuple):
    """The components; `box` is there while a base lacks a template."""

    box: gr.Accordion
    base: gr.Dropdown
    name: gr.Dropdown
    about: gr.HTML
    go: gr.Button


def build(ws: Workspace) -> TemplatePanel:
    """The choice of a base and of a template, what that means, and the button."""
    box = gr.Accordion(
        "Choose a chat template for a base", open=False, visible=False, elem_id="models-template"
    )
    with box:
        gr.HTML(f'<p class="tl-hint">{escape(WHY)}</p>')
        with gr.Row():
            base = gr.Dropdown([], label="Base without a template", elem_id="models-template-base")
            name = gr.Dropdown([], label="Template", elem_id="models-template-name")
        about = gr.HTML("", elem_id="models-template-about")
        go = gr.Button("Add the base with this template", elem_id="models-template-add")

    @shows_errors
    def on_base(model: str | None) -> tuple[Any, ...]:
        return offered(ws, model)

    @shows_errors
    def on_name(model: str | None, chosen: str | None) -> str:
        return described(ws, model, chosen)

    base.change(on_base, base, [name, about], **markup.QUIET)
    name.input(on_name, [base, name], about, **markup.QUIET)
    return TemplatePanel(box, base, name, about, go)


def shown(ws: Workspace) -> tuple[Any, ...]:
    """Updates of the box and of the bases that lack a template."""
    found = [(one.name, one.id) for one in template_choice.lacking(ws, who(ws))]
    return (
        gr.Accordion(visible=bool(found)),
        gr.Dropdown(choices=found, value=found[0][1] if found else None),
    )


def offered(ws: Workspace, model: str | None) -> tuple[Any, ...]:
    """The templates that fit the base, and what the first one means."""
    if not model:
        return gr.Dropdown(choices=[], value=None), ""
    templates = template_choice.choices(ws, who(ws), model)
    choices = [(f"{one.title}: {one.summary}", one.name) for one in templates]
    # the last one has marks of its own where the tokenizer knows any
    return gr.Dropdown(choices=choices, value=templates[-1].name), _about(templates[-1])


def described(ws: Workspace, model: str | None, chosen: str | None) -> str:
    """What the chosen template means; nothing where none is chosen."""
    if not model:
        return ""
    templates = template_choice.choices(ws, who(ws), model)
    return next((_about(one) for one in templates if one.name == chosen), "")


def _about(one: TemplateChoice) -> str:
    shown = escape(one.example).replace("\n", '<span class="tl-nl">↵</span>\n')
    return (
        markup.notice(one.meaning, "warn")
        + '<div class="tl-row"><div class="tl-row-head"><b>A question and its answer</b></div>'
        f'<div class="tl-row-text"><span class="tl-given">{shown}</span></div></div>'
    )
