"""The page: a header with the project, and one tab for each station of the loop."""

import os
from types import ModuleType
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

from engine.core.actor import LOCAL
from engine.services import projects
from engine.workspace import Workspace
from ui.events import shows_errors
from ui.kit import QUIET, notice
from ui.page import Page
from ui.setup import Setup
from ui.tabs import data, evaluate, home, models, play, rate, runs, train
from ui.views.home import MARK

TABS: tuple[tuple[str, ModuleType], ...] = (
    ("Home", home),
    ("Data", data),
    ("Train", train),
    ("Runs", runs),
    ("Evaluate", evaluate),
    ("Rate", rate),
    ("Play", play),
    ("Models", models),
)
SPACE_BANNER = (
    "This is a demo Space: what you add here is lost on restart, and every visitor sees it. "
    "Run Tuneloop yourself to keep your data."
)
SWITCH_THEME = "() => { document.body.classList.toggle('dark'); }"


def build(ws: Workspace, setup: Setup, *, space: bool = False) -> gr.Blocks:
    """All pages of a workspace; nothing is read from it before a browser asks."""
    with gr.Blocks(title="Tuneloop", delete_cache=(3600, 86400), analytics_enabled=False) as demo:
        chosen = gr.BrowserState(None, storage_key="tuneloop-project", secret="no secret")
        if space:
            gr.HTML(notice(SPACE_BANNER, "warn"))
        project = _header(ws)
        with gr.Tabs(elem_id="tabs", selected="home") as tabs:
            for label, module in TABS:
                name = label.lower()
                with gr.Tab(label, id=name, elem_id=f"tab-{name}") as tab:
                    page = Page(project, tabs, tab, demo)
                    if module is home:
                        refresh_home = home.build(ws, page, setup)
                    else:
                        module.build(ws, page)

        boot = demo.load(lambda kept: _choices(ws, kept), chosen, project, **QUIET)
        boot.then(**refresh_home)
        project.change(lambda kept: kept, project, chosen, **QUIET)
    demo.queue(default_concurrency_limit=8, max_size=200)
    return demo


def _header(ws: Workspace) -> gr.Dropdown:
    with gr.Row(elem_id="tl-header"):
        gr.HTML(MARK)
        project = gr.Dropdown(
            [], label="Project", show_label=False, container=False, elem_id="project", value=None
        )
        new = gr.Button("New project", size="sm", elem_id="new-project")
        gr.HTML("", elem_classes="tl-push")
        theme = gr.Button("◐", size="sm", elem_id="tl-theme")
    with gr.Row(elem_id="tl-new-box", visible=False) as box:
        name = gr.Textbox(label="Name of the new project", max_length=80, elem_id="new-name")
        make = gr.Button("Create", variant="primary", elem_id="new-create")
        leave = gr.Button("Cancel", elem_id="new-cancel")
    theme.click(None, None, None, js=SWITCH_THEME, api_visibility="private")
    new.click(lambda: gr.Row(visible=True), None, box, **QUIET)
    leave.click(lambda: gr.Row(visible=False), None, box, **QUIET)
    create = shows_errors(lambda typed: on_create(ws, typed))
    gr.on([make.click, name.submit], create, name, [project, box, name], **QUIET)
    return project


def on_create(ws: Workspace, name: str) -> tuple[Any, Any, str]:
    """A new project, chosen at once."""
    made = projects.create(ws, LOCAL, name)
    return _choices(ws, made.id), gr.Row(visible=False), ""


def _choices(ws: Workspace, kept: str | None) -> Any:
    """The project dropdown with all projects: `kept` where it still exists, else the newest."""
    known = projects.list_all(ws, LOCAL)
    ids = [one.id for one in known]
    value = kept if kept in ids else (ids[0] if ids else None)
    return gr.Dropdown(choices=[(one.name, one.id) for one in known], value=value)
