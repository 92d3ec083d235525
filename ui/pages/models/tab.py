"""The Models page: base models, and the models that a project trained from them."""

from typing import Any

import gradio as gr

from engine.core.model import Model
from engine.services.models import import_folder, registry, template_choice
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.page import Page
from ui.pages.models import api_panel, export_panel, hub_panel, render, template_panel
from ui.web.errors import shows_errors
from ui.web.session import who


def build(ws: Workspace, page: Page) -> None:
    """The page: trained models with their lineage, base models, and the ways to add one."""
    gr.HTML(markup.head("Models", "The models of this project, and the base models below them."))
    with gr.Row(visible=False, elem_classes="tl-actions") as onward:
        evaluate = gr.Button("Evaluate a model", variant="primary", elem_id="models-eval")
        markup.goto(evaluate, page, "evaluation")
        markup.goto(gr.Button("Try a model", elem_id="models-try"), page, "playground")
    trained = gr.HTML("", elem_id="models-trained")
    with gr.Row(visible=False) as first:
        markup.goto(
            gr.Button("Train a first model", variant="primary", elem_id="models-first"),
            page,
            "training",
        )
    exports, exported = export_panel.build(ws, page)
    api_panel.build(ws, page)
    bases = gr.HTML("", elem_id="models-bases")
    hub_panel.build(ws, page, bases)
    with gr.Accordion("Add a base model from a folder", open=False, elem_id="models-import"):
        with gr.Row():
            path = gr.Textbox(
                label="Folder",
                info="On the computer that runs Tuneloop, saved by transformers (save_pretrained)",
                elem_id="models-path",
            )
            name = gr.Textbox(
                label="Name",
                info="Optional; by default the folder's",
                elem_id="models-name",
            )
        add = gr.Button("Add model", elem_id="models-add")

    template = template_panel.build(ws)

    @shows_errors
    def on_show(project: str | None) -> tuple[Any, ...]:
        return refresh(ws, project)

    @shows_errors
    def on_add(project: str | None, folder: str, called: str) -> tuple[Any, ...]:
        new = import_folder.import_base(ws, who(ws), folder, called)
        gr.Success(f"Every project may now start from {new.name}.", title="Added")
        return "", "", *refresh(ws, project)

    @shows_errors
    def on_template(project: str | None, base: str | None, chosen: str | None) -> tuple[Any, ...]:
        new = template_choice.give(ws, who(ws), str(base or ""), str(chosen or ""))
        gr.Success(f"Every project may now start from {new.name}.", title="Added")
        return refresh(ws, project)

    shown = [bases, trained, onward, first, exports, exported, template.box, template.base]
    asked = [page.project, template.base, template.name]
    template.go.click(on_template, asked, shown, **markup.QUIET)
    add.click(on_add, [page.project, path, name], [path, name, *shown], **markup.QUIET)
    markup.on_show(page, on_show, [page.project], shown)


def refresh(ws: Workspace, project: str | None) -> tuple[Any, ...]:
    """Bases, trained models newest first, and the buttons that fit what is there."""
    models = registry.list_all(ws, who(ws), project)
    bases = [one for one in models if one.kind == "base"]
    trained = [one for one in reversed(models) if one.kind != "base"]
    answering = [one for one in trained if one.kind in names.TRAINED]
    return (
        render.bases_of(bases),
        render.trained_of(ws, project, trained),
        gr.Row(visible=bool(answering)),
        gr.Row(visible=bool(project and bases and not answering)),
        gr.Accordion(visible=bool(answering)),
        _exportable(ws, project, answering),
        *template_panel.shown(ws),
    )


def _exportable(ws: Workspace, project: str | None, answering: list[Model]) -> Any:
    """The choice of models that an export may take, the newest chosen."""
    called = names.of_models(ws, project)
    choices = [(called[one.id], one.id) for one in answering]
    return gr.Dropdown(choices, value=choices[0][1] if choices else None)
