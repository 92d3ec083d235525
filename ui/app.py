"""The page: a header with the project, and a tab for each kind of work."""

import json
import time
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from engine.services import projects
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import NavigationTarget, Page
from ui.pages.data import tab as data_tab
from ui.pages.evaluation import tab as evaluation_tab
from ui.pages.home import tab as home_tab
from ui.pages.jobs import tab as jobs_tab
from ui.pages.loop import tab as loop_tab
from ui.pages.models import tab as models_tab
from ui.pages.playground import tab as playground_tab
from ui.pages.rating import tab as rating_tab
from ui.pages.training import tab as training_tab
from ui.web.default_model_download import Setup
from ui.web.errors import shows_errors
from ui.web.session import who

Build = Callable[[Workspace, Page], None]

MARK = (
    '<div class="tl-mark"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M25.5 11A11 11 0 1 '
    '0 27 16"/><path d="M26.5 4.5V11H20"/><circle cx="16" cy="16" r="2.6"/></svg>'
    "<span>Tuneloop</span></div>"
)
SPACE_BANNER = (
    "This is a demo on Hugging Face Spaces: what you add here is seen by this browser alone and "
    "lost on restart. Run Tuneloop yourself to keep your data."
)
KEPT_SPACE_BANNER = (
    "This is a Hugging Face Space: a vote is saved once it lies in the Space's bucket, other "
    "changes follow within three minutes."
)
TEAM_SPACE_BANNER = (
    "This is a Hugging Face Space without a bucket: what you add here is lost on restart."
)
# relative: the page may lie under a path of its host
GUIDE = '<a href="guide" target="_blank">Guide</a>'
SWITCH_THEME = """() => {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('tuneloop-theme', dark ? 'dark' : 'light');
}"""
# On a phone the line of tabs scrolls; a page that a button opened begins at its top.
SHOW_TAB = """() => {
  const tab = document.querySelector('#tabs > .tab-wrapper [aria-selected=true]');
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - 0.5 * (innerWidth - tab.offsetWidth);
  window.scrollTo(0, 0);
}"""
# The id of the selected tab, before what else an event takes from the page.
SELECTED_TAB = """(_, ...rest) =>
  [document.querySelector('#tabs > .tab-wrapper [aria-selected=true]').dataset.tabId, ...rest]"""
# The timers of the selected tab run, those of the others stop; nobody asks the server for it.
SWITCH_TIMERS = """() => {
  const tab = document.querySelector('#tabs > .tab-wrapper [aria-selected=true]').dataset.tabId;
  return OWNERS.map((owner) => ({ __type__: 'update', active: owner === tab }));
}"""
# The address wins over what was chosen before, as everywhere in Gradio.
KEPT_THEME = """() => {
  const kept = localStorage.getItem('tuneloop-theme');
  if (kept && !new URLSearchParams(location.search).has('__theme'))
    document.body.classList.toggle('dark', kept === 'dark');
}"""


def build(ws: Workspace, setup: Setup | None = None, *, space: bool = False) -> gr.Blocks:
    """All pages of a workspace; nothing is read from it before a browser asks."""
    builds: dict[str, Build] = {
        "Home": partial(home_tab.build, setup=setup or Setup()),
        "Data": data_tab.build,
        "Training": training_tab.build,
        "Jobs": jobs_tab.build,
        "Evaluation": evaluation_tab.build,
        "Rating": rating_tab.build,
        "Loop": loop_tab.build,
        "Playground": playground_tab.build,
        "Models": models_tab.build,
    }
    with gr.Blocks(title="Tuneloop", delete_cache=(3600, 86400), analytics_enabled=False) as demo:
        # first: it makes Gradio's routes and its description of the page, which is empty as yet
        demo.queue(default_concurrency_limit=8, max_size=200)
        kept = gr.BrowserState(None, storage_key="tuneloop-project")
        if space:
            gr.HTML(_space_notice(ws), elem_id="tl-space")
        project = _header(ws, demo)
        ready = demo.load(
            shows_errors(partial(home_tab.project_choice, ws)), kept, project, **markup.QUIET
        )
        project.change(lambda chosen: chosen, project, kept, **markup.QUIET)
        live: list[tuple[str, gr.Timer]] = []
        target = gr.State(NavigationTarget())
        made: list[gr.Tab] = []
        turns, changed = [gr.State(0.0) for _ in builds], gr.State(("", 0.0))
        with gr.Tabs(elem_id="tabs", selected=markup.FIRST_TAB, overflow_behavior="wrap") as tabs:
            for turn, (label, add) in zip(turns, builds.items(), strict=True):
                name = label.lower()
                with gr.Tab(label, id=name, elem_id=f"tab-{name}") as tab:
                    add(ws, Page(project, tabs, tab, demo, ready, live, target, turn, changed))
                made.append(tab)
        tabs.change(None, None, None, js=SHOW_TAB, api_visibility="private")
        _refresh_when_shown(tabs, made, live, turns, project, changed)
    return demo


def _refresh_when_shown(
    tabs: gr.Tabs,
    made: list[gr.Tab],
    live: list[tuple[str, gr.Timer]],
    turns: list[gr.State],
    project: gr.Dropdown,
    changed: gr.State,
) -> None:
    """The selected tab looks again where the project or what it shows changes; its timers run.

    Only that tab: nine that look at once keep a browser busy for seconds. Which one it is says
    the browser as it asks. The server would know it late: the events of a click wait for each
    other, and a project that came meanwhile would be shown on the tab that was left.
    """
    at = gr.Textbox(visible=False)
    names = [str(tab.id) for tab in made]

    def on_project(at: str) -> list[Any]:
        return [time.time() if name == at else gr.skip() for name in names]

    def on_changed(at: str, by: tuple[str, float]) -> list[Any]:
        return on_project(at if at != by[0] else "")

    project.change(on_project, at, turns, js=SELECTED_TAB, **markup.RAW)
    changed.change(on_changed, [at, changed], turns, js=SELECTED_TAB, **markup.RAW)
    owners = json.dumps([owner for owner, _ in live])
    switch = SWITCH_TIMERS.replace("OWNERS", owners)
    tabs.change(None, None, [timer for _, timer in live], js=switch, api_visibility="private")


def _space_notice(ws: Workspace) -> str:
    if ws.off_site:
        return markup.notice(KEPT_SPACE_BANNER)
    return markup.notice(TEAM_SPACE_BANNER if ws.settings.sign_in else SPACE_BANNER, "warn")


def _header(ws: Workspace, demo: gr.Blocks) -> gr.Dropdown:
    with gr.Row(elem_id="tl-header"):
        gr.HTML(MARK)
        project = gr.Dropdown(
            [], label="Project", show_label=False, container=False, elem_id="project", visible=False
        )
        new = gr.Button("New project", size="sm", elem_id="new-project")
        gr.HTML("", elem_classes="tl-push")
        worker = gr.HTML("", elem_id="tl-worker")
        me = gr.HTML("", elem_id="tl-me", visible=ws.settings.sign_in)
        gr.HTML(GUIDE, elem_id="tl-guide-link")
        theme = gr.Button("◐", size="sm", elem_id="tl-theme")
    _new_project(ws, new, project)
    theme.click(None, None, None, js=SWITCH_THEME, api_visibility="private")
    if ws.settings.sign_in:
        demo.load(shows_errors(partial(account_link, ws)), None, me, **markup.QUIET)
    badge = partial(worker_badge, ws)
    gr.on([demo.load, gr.Timer(5.0).tick], badge, None, worker, **markup.QUIET)
    demo.load(None, None, None, js=KEPT_THEME, api_visibility="private")
    return project


def _new_project(ws: Workspace, new: gr.Button, project: gr.Dropdown) -> None:
    with gr.Row(elem_id="tl-new-box", visible=False) as box:
        name = gr.Textbox(
            label="Name of the new project", placeholder="Help desk", max_length=80,
            elem_id="new-name", scale=4,
        )  # fmt: skip
        make = gr.Button("Create", variant="primary", elem_id="new-create", scale=1, min_width=110)
        leave = gr.Button("Cancel", elem_id="new-cancel", scale=1, min_width=110)

    @shows_errors
    def create(typed: str) -> tuple[Any, Any, str]:
        made = projects.create(ws, who(ws), typed)
        return home_tab.project_choice(ws, made.id), gr.Row(visible=False), ""

    new.click(lambda: gr.Row(visible=True), None, box, **markup.QUIET)
    leave.click(lambda: gr.Row(visible=False), None, box, **markup.QUIET)
    gr.on([make.click, name.submit], create, name, [project, box, name], **markup.QUIET)


def account_link(ws: Workspace) -> str:
    """Who is signed in, and the way to their account."""
    return f'<a href="account" dir="auto" title="Your account">{escape(who(ws).name)}</a>'


def worker_badge(ws: Workspace) -> str:
    """Whether anything would do the work, and a mark while there is some (see poll_pace.js)."""
    actor = who(ws)
    alive = lifecycle.worker_alive(ws, actor)
    badge = markup.badge(*(("worker ready", "good") if alive else ("no worker", "warn")))
    return f"<span data-going>{badge}</span>" if lifecycle.anything_going(ws, actor) else badge
