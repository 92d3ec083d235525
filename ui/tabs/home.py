"""Home: where the project stands, and the one next step."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.services import demo as demos
from engine.services import jobs, projects
from engine.services.standing import standing
from engine.workspace import Workspace
from ui import kit
from ui.events import shows_errors
from ui.page import Page
from ui.setup import Setup
from ui.views import home as view

DEMO = (
    '<div class="tl-choice-words"><h3>See the whole loop</h3><p>A small model learns to answer '
    "for a library's help desk, simulated raters judge it blind, and it learns from their votes. "
    "About 10 minutes on two cores. The raters follow a stated rule, and nothing is scripted to "
    "win.</p></div>"
)
OWN = (
    '<div class="tl-choice-words"><h3>Use your own examples</h3><p>Questions with the answers you '
    "want, as JSONL, JSON, CSV or Parquet. A hundred rows are enough to see a difference; "
    "everything stays on this machine.</p></div>"
)


class Parts(NamedTuple):
    """What a refresh changes, in this order."""

    welcome: gr.Column
    here: gr.Column
    says: gr.HTML
    loop: gr.HTML
    words: gr.HTML
    go: gr.Button
    tab: gr.State
    seen: gr.State


def build(ws: Workspace, page: Page, setup: Setup) -> dict[str, Any]:
    """Lay Home out; what comes back is the event that draws it, for the page's first load."""
    says = gr.HTML(elem_id="home-says")
    with gr.Column(visible=False, elem_id="home-welcome") as welcome:
        gr.HTML(view.HERO)
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="tl-choice"):
                gr.HTML(DEMO)
                demo = gr.Button("Start the demo project", variant="primary", elem_id="home-demo")
            with gr.Column(elem_classes="tl-choice"):
                gr.HTML(OWN)
                own = gr.Button("Start with my own data", elem_id="home-own")
    with gr.Column(visible=False, elem_id="home-here") as here:
        loop = gr.HTML(elem_id="home-loop")
        with gr.Row(elem_id="home-next"):
            words = gr.HTML()
            go = gr.Button("Go", variant="primary", elem_id="home-go", scale=0, min_width=220)
        report = gr.HTML(elem_id="home-report")
        again = gr.Button("Start the demo project", elem_id="home-demo-again", size="sm")
    tab, seen = gr.State("data"), gr.State("")
    parts = Parts(welcome, here, says, loop, words, go, tab, seen)
    outputs = [*parts, report]

    refresh = shows_errors(lambda project, before: on_look(ws, setup, project, before))
    inputs = [page.project, seen]
    kit.on_show(page, refresh, inputs, outputs)
    kit.live(page, refresh, inputs, outputs)
    go.click(lambda name: gr.Tabs(selected=name), tab, page.tabs, **kit.QUIET)
    start = shows_errors(lambda: on_demo(ws))
    gr.on([demo.click, again.click], start, None, page.project, **kit.QUIET)
    own.click(shows_errors(lambda: on_own(ws)), None, [page.project, page.tabs], **kit.QUIET)
    return {"fn": refresh, "inputs": inputs, "outputs": outputs, **kit.QUIET}


def on_look(ws: Workspace, setup: Setup, project: str | None, before: str) -> Any:
    """Home as it is now; nothing when it looks as it did."""
    notes = _notes(ws, setup)
    known = {one.id for one in projects.list_all(ws, LOCAL)}
    if project is None or project not in known:
        drawn = [
            gr.Column(visible=True),
            gr.Column(visible=False),
            notes,
            "",
            "",
            gr.skip(),
            "data",
        ]
        return _unless_same(before, f"none {notes}", [*drawn], "")
    stands = standing(ws, LOCAL, project)
    demo = next(iter(jobs.list_all(ws, LOCAL, project, ("demo",))), None)
    notes += _demo_progress(ws, demo)
    report = view.report(demo.result["report"]) if demo and demo.state is State.DONE else ""
    drawn = [
        gr.Column(visible=False),
        gr.Column(visible=True),
        notes,
        view.loop(stands),
        view.next_step(stands),
        gr.Button(stands.next_title),
        stands.next_tab,
    ]
    return _unless_same(before, f"{project} {stands} {notes} {report}", drawn, report)


def _unless_same(before: str, now: str, drawn: list[Any], report: str) -> Any:
    fingerprint = str(hash(now))
    if fingerprint == before:
        return gr.skip()
    return [*drawn, fingerprint, report]


def on_demo(ws: Workspace) -> Any:
    """Start the demo and look at its project."""
    project, _ = demos.start(ws, LOCAL)
    known = [(one.name, one.id) for one in projects.list_all(ws, LOCAL)]
    return gr.Dropdown(choices=known, value=project.id)


def on_own(ws: Workspace) -> tuple[Any, Any]:
    """A project for a person's own data, and the tab to add it on."""
    project = projects.create(ws, LOCAL, "My project")
    known = [(one.name, one.id) for one in projects.list_all(ws, LOCAL)]
    return gr.Dropdown(choices=known, value=project.id), gr.Tabs(selected="data")


def _notes(ws: Workspace, setup: Setup) -> str:
    found = kit.notice(setup.words, "bad" if setup.failed else "busy") if setup.words else ""
    if not jobs.worker_alive(ws, LOCAL):
        text = "No worker is running yet, so nothing will train. It starts within seconds; "
        found += kit.notice(f"{text}if this stays, run: tuneloop worker", "warn")
    return found


def _demo_progress(ws: Workspace, demo: Job | None) -> str:
    if demo is None or demo.state is State.DONE or demo.state is State.CANCELLED:
        return ""
    if demo.state is State.FAILED:
        return kit.notice(f"The demo stopped: {demo.error}", "bad")
    try:
        said = [e.data for e in jobs.watch(ws, LOCAL, demo.id) if e.kind == "progress"]
    except UserError:
        return ""
    if not said:
        return kit.progress(0, 1, "The demo is waiting for a worker")
    last = said[-1]
    step = f"{min(int(last['done']) + 1, int(last['total']))} of {int(last['total'])}"
    return kit.progress(last["done"], last["total"], f"The demo: {last['label']} (step {step})")
