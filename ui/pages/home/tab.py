"""Home: where the project stands, and the one next step."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.job import Job, State
from engine.core.project import Standing, Step, StepName
from engine.core.result import DemoResult
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.loop import demo as demos
from engine.services.loop.status import NEXT, TITLES, standing
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import Page
from ui.pages.home import loop_picture
from ui.pages.home import render as view
from ui.web.errors import shows_errors
from ui.web.session import who
from ui.web.setup import Setup

OWN_PROJECT = "My project"
# A click on a station opens its tab; the value is text and never a template.
OPEN_STATION = """
element.addEventListener('click', (event) => {
  const station = event.target.closest('[data-step]');
  if (station) trigger('click', {step: station.dataset.step});
});
"""
WHAT_IT_IS: dict[StepName, str] = {
    "data": "your examples",
    "train": "a first model",
    "evaluate": "how good is it?",
    "rate": "two answers, blind",
    "pairs": "better and worse",
    "dpo": "learn from votes",
    "blind": "new against old",
    "verdict": "is it better?",
}
NO_WORKER = (
    "No worker is running, so nothing will be trained or answered. The server starts one within "
    "seconds; if this stays, run: tuneloop worker"
)


class Parts(NamedTuple):
    """What a look may change, in this order."""

    seen: gr.State
    notes: gr.HTML
    welcome: gr.Column
    here: gr.Column
    picture: gr.HTML
    words: gr.HTML
    go: gr.Button
    try_demo: gr.Button
    tab: gr.State
    demo: gr.HTML
    report: gr.HTML


class Starts(NamedTuple):
    """The two buttons of the welcome."""

    demo: gr.Button
    own: gr.Button


def build(ws: Workspace, page: Page, setup: Setup) -> None:
    """The tab: a welcome while there is no project, else its loop and the next step."""
    notes = gr.HTML(elem_id="home-notes")
    with gr.Column(visible=False, elem_id="home-welcome") as welcome:
        starts = _welcome()
    with gr.Column(visible=False, elem_id="home-here") as here:
        demo = gr.HTML(elem_id="home-demo-state")
        with gr.Row(elem_classes="tl-home"):
            with gr.Column(scale=8, min_width=310):
                picture = gr.HTML(elem_id="home-loop", js_on_load=OPEN_STATION)
            with gr.Column(scale=5, min_width=290, elem_classes="tl-next"):
                words = gr.HTML(elem_id="home-next")
                go = gr.Button("Go", variant="primary", size="lg", elem_id="home-go")
                try_demo = gr.Button("Watch the demo project first", elem_id="home-try-demo")
        report = gr.HTML(elem_id="home-report")
    parts = Parts(gr.State(""), notes, welcome, here, picture, words, go, try_demo,
                  gr.State("data"), demo, report)  # fmt: skip
    _wire(ws, page, setup, parts, starts)


def _welcome() -> Starts:
    with gr.Row(elem_classes="tl-home"):
        with gr.Column(scale=6, min_width=310, elem_classes="tl-hero-side"):
            gr.HTML(view.HERO)
        with gr.Column(scale=6, min_width=310, elem_classes="tl-hero-picture"):
            gr.HTML(loop_picture.picture(untouched()))
    with gr.Row(elem_classes="tl-choices"):
        with gr.Column(min_width=290, elem_classes="tl-choice tl-choice-first"):
            gr.HTML(view.DEMO)
            demo = gr.Button("Start the demo project", variant="primary", elem_id="home-demo")
        with gr.Column(min_width=290, elem_classes="tl-choice"):
            gr.HTML(view.OWN)
            own = gr.Button("Start with my own data", elem_id="home-own")
    return Starts(demo, own)


def untouched() -> Standing:
    """A loop that nobody has begun; each step says what it is about."""
    steps = tuple(
        Step(name=n, title=t, state="todo", detail=WHAT_IT_IS[n]) for n, t in TITLES.items()
    )
    title, text, tab = NEXT["data"]
    return Standing(steps=steps, next_title=title, next_text=text, next_tab=tab)


def _wire(ws: Workspace, page: Page, setup: Setup, parts: Parts, starts: Starts) -> None:
    @shows_errors
    def refresh(project: str | None, seen: str) -> Any:
        return on_look(ws, setup, project, seen)

    @shows_errors
    def start_demo() -> Any:
        project, _ = demos.start(ws, who(ws))
        return project_choice(ws, project.id)

    @shows_errors
    def start_own() -> Any:
        made = projects.create(ws, who(ws), OWN_PROJECT)
        return project_choice(ws, made.id), gr.Tabs(selected="data")

    @shows_errors
    def open_station(event: gr.EventData) -> Any:
        return gr.Tabs(selected=tab_of(event.step))

    given = [page.project, parts.seen]
    markup.on_show(page, refresh, given, list(parts))
    markup.live(page, refresh, given, list(parts), every=2.0)
    parts.go.click(lambda tab: gr.Tabs(selected=tab), parts.tab, page.tabs, **markup.QUIET)
    parts.picture.click(open_station, None, page.tabs, **markup.QUIET)
    gr.on([starts.demo.click, parts.try_demo.click], start_demo, None, page.project, **markup.QUIET)
    starts.own.click(start_own, None, [page.project, page.tabs], **markup.QUIET)


def project_choice(ws: Workspace, chosen: str | None) -> gr.Dropdown:
    """The project list with all projects: `chosen` where it exists, else the newest, else none."""
    known = projects.list_all(ws, who(ws))
    ids = [one.id for one in known]
    value = chosen if chosen in ids else next(iter(ids), None)
    return gr.Dropdown(
        choices=[(one.name, one.id) for one in known], value=value, visible=bool(known)
    )


def tab_of(step: StepName) -> str:
    """The tab that a station opens; an unknown one stays where it is."""
    return NEXT[step][2] if step in NEXT else "home"


def on_look(ws: Workspace, setup: Setup, project: str | None, seen: str) -> Any:
    """An update for every part of Home; nothing when it looks as it did."""
    notes = _notes(ws, setup)
    known = projects.list_all(ws, who(ws))
    if project is None or project not in {one.id for one in known}:
        drawn = {"notes": notes, "welcome": True, "here": False}
    else:
        drawn = {"notes": notes, "welcome": False, "here": True, **_of_project(ws, project)}
    now = f"{project} {drawn}"
    return gr.skip() if now == seen else _updates({"seen": now, **drawn})


def _of_project(ws: Workspace, project: str) -> dict[str, Any]:
    stands = standing(ws, who(ws), project)
    demo = next(iter(lifecycle.list_all(ws, who(ws), project, ("demo",))), None)
    report = demo.result_as(DemoResult).report if demo else None
    untrodden = all(step.state in ("todo", "next") for step in stands.steps)
    return {
        "picture": loop_picture.picture(stands),
        "words": view.next_step(stands),
        "go": stands.next_title,
        "try_demo": untrodden and demo is None,
        "tab": stands.next_tab,
        "demo": _demo(ws, demo),
        "report": view.report(report) if report else "",
    }


def _demo(ws: Workspace, demo: Job | None) -> str:
    if demo is None or demo.state is State.DONE:
        return ""
    return view.demo_on_its_way(demo, lifecycle.watch(ws, who(ws), demo.id))


def _notes(ws: Workspace, setup: Setup) -> str:
    found = markup.notice(setup.words, "bad" if setup.failed else "busy") if setup.words else ""
    return (
        found if lifecycle.worker_alive(ws, who(ws)) else found + markup.notice(NO_WORKER, "warn")
    )


def _updates(new: dict[str, Any]) -> list[Any]:
    make = {
        "welcome": lambda seen: gr.Column(visible=seen),
        "here": lambda seen: gr.Column(visible=seen),
        "go": lambda title: gr.Button(title),
        "try_demo": lambda seen: gr.Button(visible=seen),
    }
    return [make.get(part, str)(new[part]) if part in new else gr.skip() for part in Parts._fields]
