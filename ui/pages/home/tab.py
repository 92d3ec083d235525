"""The Home page: the next action, and the dashboard of the project."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypedDict, get_args

import gradio as gr

from engine.core.job import Job, State
from engine.core.job_result import DemoResult
from engine.core.project import NextAction, Step, StepName
from engine.services import dashboard as dashboards
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.loop import demo_start as demos
from engine.services.loop.status import STEPS, status
from engine.services.people import visitor_projects
from engine.workspace import Workspace
from ui.components import loop_words, markup, names, refresh
from ui.components.page import NavigationTarget, Page, PageName
from ui.components.refresh import Drawn, Refresher
from ui.pages.home import dashboard, loop_picture
from ui.pages.home import render as view
from ui.web import sent
from ui.web.default_model_download import Setup
from ui.web.errors import shows_errors
from ui.web.session import who

# A click on a station or a card opens its page; the values are text and never a template.
OPEN_STATION = """
element.addEventListener('click', (event) => {
  const station = event.target.closest('[data-step]');
  if (station) trigger('click', {step: station.dataset.step});
});
"""
OPEN_CARD = """
element.addEventListener('click', (event) => {
  const card = event.target.closest('[data-page]');
  if (card) trigger('click', {page: card.dataset.page, aim: card.dataset.aim || ''});
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
    "No worker is running, so nothing is trained or answered. The server starts one within "
    "seconds. If this message stays, run:"
)
PAGES: tuple[PageName, ...] = get_args(PageName)


@dataclass(frozen=True)
class HomeView(Drawn):
    """What one browser session shows of Home, and what its button does."""

    action: NextAction = "add_data"


class HomeParts(NamedTuple):
    """The components that a refresh may update."""

    notes: gr.HTML
    welcome: gr.Column
    here: gr.Column
    words: gr.HTML
    go: gr.Button
    try_demo: gr.Button
    demo: gr.HTML
    cards: gr.HTML
    picture: gr.HTML
    changes: gr.HTML
    report: gr.HTML


class Starts(NamedTuple):
    """The two buttons of the welcome."""

    demo: gr.Button
    own: gr.Button


REFRESHER = Refresher[HomeView](
    HomeParts._fields,
    {
        "welcome": refresh.shown(gr.Column),
        "here": refresh.shown(gr.Column),
        "go": lambda title: gr.Button(title),
        "try_demo": refresh.shown(gr.Button),
        "demo": refresh.text_or_hidden,
        "changes": refresh.text_or_hidden,
        "report": refresh.text_or_hidden,
    },
)


def build(ws: Workspace, page: Page, setup: Setup) -> None:
    """A welcome while there is no project, else the next action and the dashboard."""
    seen = gr.State(HomeView())
    notes = gr.HTML(elem_id="home-notes")
    with gr.Column(visible=False, elem_id="home-welcome") as welcome:
        starts = _welcome()
    with gr.Column(visible=False, elem_id="home-here") as here:
        with gr.Row(elem_classes="tl-next tl-next-bar"):
            words = gr.HTML(elem_id="home-next")
            go = gr.Button("Go", variant="primary", size="lg", elem_id="home-go")
            try_demo = gr.Button("Watch the demo project first", elem_id="home-try-demo")
        demo = gr.HTML(elem_id="home-demo-state", visible=False)
        with gr.Row(elem_classes="tl-home tl-dash-row"):
            with gr.Column(scale=7, min_width=300):
                cards = gr.HTML(elem_id="home-cards", js_on_load=OPEN_CARD)
            with gr.Column(scale=5, min_width=300):
                picture = gr.HTML(elem_id="home-loop", js_on_load=OPEN_STATION)
                changes = gr.HTML(elem_id="home-changes", visible=False, js_on_load=OPEN_CARD)
        report = gr.HTML(elem_id="home-report", visible=False)
    if ws.settings.visitors:
        gr.HTML(view.visitors_note(visitor_projects.sentence()), elem_id="home-visitors")
    parts = HomeParts(
        notes, welcome, here, words, go, try_demo, demo, cards, picture, changes, report
    )
    _wire(ws, page, setup, seen, parts, starts)


def _welcome() -> Starts:
    with gr.Row(elem_classes="tl-home"):
        with gr.Column(scale=6, min_width=310, elem_classes="tl-hero-side"):
            gr.HTML(view.HERO)
        with gr.Column(scale=6, min_width=310, elem_classes="tl-hero-picture"):
            gr.HTML(loop_picture.picture(untouched(), WHAT_IT_IS))
    with gr.Row(elem_classes="tl-choices"):
        with gr.Column(min_width=290, elem_classes="tl-choice tl-choice-first"):
            gr.HTML(view.DEMO)
            demo = gr.Button("Start the demo project", variant="primary", elem_id="home-demo")
        with gr.Column(min_width=290, elem_classes="tl-choice"):
            gr.HTML(view.OWN)
            own = gr.Button("Start with my own data", elem_id="home-own")
    return Starts(demo, own)


def untouched() -> tuple[Step, ...]:
    """The steps of a loop that nobody has begun."""
    return tuple(Step(name=name, state="todo") for name in STEPS)


def _wire(
    ws: Workspace, page: Page, setup: Setup, seen: gr.State, parts: HomeParts, starts: Starts
) -> None:
    @shows_errors
    def start_demo() -> Any:
        project, _ = demos.start(ws, who(ws))
        return project_choice(ws, project.id)

    @shows_errors
    def start_own() -> Any:
        made = projects.create(ws, who(ws), projects.FIRST)
        return project_choice(ws, made.id), gr.Tabs(selected="data")

    @shows_errors
    def open_station(event: gr.EventData) -> Any:
        return gr.Tabs(selected=page_of(sent.detail(event, "step")))

    @shows_errors
    def open_card(event: gr.EventData) -> Any:
        there, aim = (sent.detail(event, name) for name in ("page", "aim"))
        return target(there, aim), gr.Tabs(selected=known_page(there))

    poll = shows_errors(partial(on_poll, ws, setup))
    given, out = [page.project, seen], [seen, *parts]
    markup.on_show(page, poll, given, out)
    markup.live(page, poll, given, out, every=2.0)
    follow = loop_words.follow
    parts.go.click(lambda held: follow(held.action), seen, [page.target, page.tabs], **markup.QUIET)
    parts.picture.click(open_station, None, page.tabs, **markup.QUIET)
    for part in (parts.cards, parts.changes):
        part.click(open_card, None, [page.target, page.tabs], **markup.QUIET)
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


def page_of(step: str) -> PageName:
    """The page that a station opens; an unknown one stays on Home."""
    return next((page for name, page in loop_words.STATION_PAGES.items() if name == step), "home")


def known_page(name: object) -> PageName:
    """The page of that name, whatever the browser sent; Home where there is none."""
    return next((page for page in PAGES if page == name), "home")


def target(page: str, wanted: str) -> NavigationTarget:
    """What the page of a card shows first; the services check the id."""
    shown = {
        "jobs": NavigationTarget(run=wanted[:80]),
        "evaluation": NavigationTarget(evaluation=wanted[:80]),
        "rating": NavigationTarget(round=wanted[:80]),
    }
    return shown.get(page, NavigationTarget())


class HomeValues(TypedDict, total=False):
    """The value of each part of the page that a poll may change."""

    notes: str
    welcome: bool
    here: bool
    demo: str
    words: str
    go: str
    try_demo: bool
    cards: str
    changes: str
    picture: str
    report: str


def on_poll(ws: Workspace, setup: Setup, project: str | None, seen: HomeView) -> list[Any]:
    """The view and an update for every part; all skipped while nothing changed."""
    worker = lifecycle.worker_alive(ws, who(ws))
    notes = _notes(setup, worker)
    known = projects.list_all(ws, who(ws))
    if project is None or project not in {one.id for one in known}:
        return REFRESHER.changed(seen, {"notes": notes, "welcome": True, "here": False})
    now, demo = _demo(ws, project, seen)
    values: HomeValues = {"notes": notes, "welcome": False, "here": True, "demo": demo}
    since = dashboards.visit(ws, who(ws), project)
    revision = (project, projects.revision(ws, who(ws), project), since, worker)
    if revision != seen.revision:
        now, fresh = _of_project(ws, project, now, worker)
        now, values = replace(now, revision=revision), {**values, **fresh}
    return REFRESHER.changed(now, values)


def _of_project(
    ws: Workspace, project: str, seen: HomeView, worker: bool
) -> tuple[HomeView, HomeValues]:
    """What is drawn anew when something is stored about the project."""
    loop_status = status(ws, who(ws), project)
    demo = _newest_demo(ws, project)
    action = loop_words.ACTIONS[loop_status.next_action]
    begun = any(step.state in ("done", "running") for step in loop_status.steps)
    report = demo.result_as(DemoResult).report if demo else None
    return replace(seen, action=loop_status.next_action), {
        "words": loop_words.next_action(loop_status),
        "go": action.title,
        "try_demo": not begun and demo is None,
        **_cards(ws, project, worker, begun=begun),
        "picture": loop_picture.picture(loop_status.steps, {} if begun else WHAT_IT_IS),
        "report": view.report(report) if report else "",
    }


def _cards(ws: Workspace, project: str, worker: bool, *, begun: bool) -> HomeValues:
    if not begun:
        return {"cards": "", "changes": ""}
    found = dashboards.dashboard(ws, who(ws), project)
    queue = dashboards.queue(ws, who(ws), project, worker)
    cards = dashboard.cards(found, queue, names.of_models(ws, project))
    return {"cards": cards, "changes": dashboard.changes(found.changes)}


def _newest_demo(ws: Workspace, project: str) -> Job | None:
    return next(iter(lifecycle.list_all(ws, who(ws), project, ("demo",))), None)


def _demo(ws: Workspace, project: str, seen: HomeView) -> tuple[HomeView, str]:
    """How far the demo is, its events read from where the last poll ended."""
    job = _newest_demo(ws, project)
    if job is None or job.state is State.DONE:
        return seen, ""
    now = refresh.reading(ws, seen, [job])
    return now, view.demo_on_its_way(job, now.track(job.id))


def _notes(setup: Setup, worker: bool) -> str:
    found = markup.notice(setup.words, "bad" if setup.failed else "busy") if setup.words else ""
    return found if worker else found + markup.notice(NO_WORKER, "warn", "tuneloop worker")
