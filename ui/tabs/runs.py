"""Runs: everything this project computes, the newest first, and one of them live."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from engine.core.actor import LOCAL
from engine.core.job import Job, State
from engine.services import jobs
from engine.workspace import Workspace
from ui import kit, picks
from ui.events import shows_errors
from ui.live import LivePlot
from ui.page import Page
from ui.views import curves, follow, names, runs, settings
from ui.views.follow import Track

ELSEWHERE = ("play",)  # has a tab of its own
ONCE = ("generate", "demo")  # belong to a round or a project that is made for them
NEXT = {
    "sft": ("Evaluate it", "evaluate"),
    "dpo": ("Evaluate it", "evaluate"),
    "evaluate": ("See the evaluation", "evaluate"),
    "generate": ("Rate the answers", "rate"),
    "demo": ("See where the project stands", "home"),
}
WISHES = (
    '<div class="tl-part"><h3>Does it prefer the better answers?</h3><p>Above: how much more it '
    "favours them than the model it started from. Below: in how many pairs. Bold is held out.</p>"
    "</div>"
)
NOTHING = "A training, an evaluation or a demo appears here, with its curves as it learns."


@dataclass(frozen=True)
class View:
    """What one browser tab looks at: the run somebody picked, what is read, what is drawn."""

    picked: str = ""
    shown: str = ""
    tracks: dict[str, Track] = field(default_factory=dict)
    drawn: dict[str, Any] = field(default_factory=dict)


class Parts(NamedTuple):
    """The components that a look may change, in the order of the updates."""

    empty: gr.Column
    body: gr.Column
    cards: gr.HTML
    top: gr.HTML
    stop: gr.Button
    again: gr.Button
    onward: gr.Button
    sure: gr.Row
    losses_box: gr.Column
    losses: LivePlot
    wishes_box: gr.Column
    wishes: LivePlot
    report: gr.HTML
    settings: gr.HTML
    log: gr.HTML


def build(ws: Workspace, page: Page) -> None:
    """The tab: the list on one side, the chosen run on the other."""
    gr.HTML(kit.head("Runs", "Everything this project computes. A run goes on without this page."))
    view = gr.State(View())
    with gr.Column(visible=False) as empty:
        gr.HTML(kit.empty("Nothing has run yet", NOTHING))
        kit.goto(gr.Button("Train a model", variant="primary"), page, "train")
    with gr.Row(visible=False, elem_classes="tl-duo") as body:
        with gr.Column(scale=4, min_width=290, elem_classes="tl-duo-list"):
            cards = picks.component("runs-list")
        with gr.Column(scale=9, min_width=310):
            top = gr.HTML("", elem_id="runs-top")
            with gr.Row(elem_classes="tl-actions"):
                onward = gr.Button("Evaluate it", variant="primary", elem_id="runs-next")
                again = gr.Button("Start again with these settings", elem_id="runs-again")
                stop = gr.Button("Stop", elem_id="runs-stop")
            with gr.Row(visible=False, elem_classes="tl-sure") as sure:
                gr.HTML(kit.notice("Stop this run? What it has done so far is lost.", "warn"))
                yes = gr.Button("Stop it", variant="stop", elem_id="runs-stop-yes")
                no = gr.Button("Let it run", elem_id="runs-stop-no")
            with gr.Column(visible=False) as losses_box:
                losses = LivePlot(height=340, elem_id="runs-losses")
            with gr.Column(visible=False) as wishes_box:
                gr.HTML(WISHES)
                wishes = LivePlot(height=360, elem_id="runs-wishes")
            report = gr.HTML("", elem_id="runs-report")
            with gr.Accordion("Settings", open=False, elem_id="runs-settings"):
                table = gr.HTML("")
            with gr.Accordion("What it said", open=False, elem_id="runs-log"):
                log = gr.HTML("")
    parts = Parts(empty, body, cards, top, stop, again, onward, sure, losses_box, losses,
                  wishes_box, wishes, report,
                  table, log)  # fmt: skip
    _wire(ws, page, view, parts, yes, no)


def refresh(ws: Workspace, project: str | None, view: View) -> tuple[View, dict[str, Any]]:
    """What this look found, and what of it is not on the page yet, by the name of its part."""
    listed = jobs.list_all(ws, LOCAL, project) if project else []
    found = [job for job in listed if job.kind not in ELSEWHERE]
    if not found:
        fresh: dict[str, Any] = {"empty": True, "body": False}
        return _changed(View(), fresh, view.drawn)
    job = chosen(found, view.picked)
    kept = {one.id: view.tracks.get(one.id, Track()) for one in found}
    live = [one for one in found if not one.over or one.id == job.id]
    tracks = kept | {one.id: follow.look(ws, one, kept[one.id]) for one in live}
    places = {
        one.id: jobs.place_in_queue(ws, LOCAL, one.id) for one in found if one.state is State.QUEUED
    }
    fresh = {"empty": False, "body": True, "cards": runs.cards(found, job.id, places, tracks)}
    fresh |= opened(ws, project or "", job, tracks[job.id], places.get(job.id, 0), view)
    return _changed(replace(view, shown=job.id, tracks=tracks), fresh, view.drawn)


def chosen(found: list[Job], picked: str) -> Job:
    """The run somebody picked; else the newest that runs; else the newest."""
    for job in found:
        if job.id == picked:
            return job
    running = [job for job in found if job.state is State.RUNNING and job.kind != "demo"]
    return (running or found)[0]


def opened(
    ws: Workspace, project: str, job: Job, track: Track, place: int, view: View
) -> dict[str, Any]:
    """The parts of one run's page; a run that is over and drawn is left as it is."""
    if job.over and track.whole and view.drawn.get("run") == (job.id, job.state):
        return {}
    called = names.of_models(ws, project) | names.of_datasets(ws, project)
    label, _ = NEXT.get(job.kind, ("", ""))
    drawing, wishes = (job.id, len(track.metrics)), curves.has_preferences(track.metrics)
    return {
        "run": (job.id, job.state) if job.over else None,
        "top": runs.top(job, track, place, called, jobs.worker_alive(ws, LOCAL)),
        "stop": not job.over and not job.cancel_requested,
        "again": job.over and job.kind not in ONCE,
        "onward": label if job.state is State.DONE else "",
        "sure": (job.id, job.over or job.cancel_requested),  # closed when this changes
        "losses_box": bool(track.metrics),
        "losses": drawing if track.metrics else (),
        "wishes_box": wishes,
        "wishes": drawing if wishes else (),
        "report": runs.report(job),
        "settings": settings.table(job, called),
        "log": runs.log(track),
    }


def stop(ws: Workspace, view: View) -> Job:
    """Ask the shown run to stop."""
    return jobs.cancel(ws, LOCAL, view.shown)


def again(ws: Workspace, project: str | None, view: View) -> Job:
    """A new run with the settings of the shown one."""
    job = jobs.get(ws, LOCAL, view.shown)
    return jobs.submit(ws, LOCAL, project or job.project_id, jobs.recipe_of(job), job.name)


def _changed(
    view: View, fresh: dict[str, Any], drawn: dict[str, Any]
) -> tuple[View, dict[str, Any]]:
    """The view with what is now drawn, and the part of `fresh` that was not."""
    new = {name: value for name, value in fresh.items() if drawn.get(name, ...) != value}
    return replace(view, drawn={**drawn, **fresh}), new


def updates(view: View, new: dict[str, Any]) -> list[Any]:
    """A component's update for every part; a part that did not change is skipped."""
    track = view.tracks.get(view.shown, Track())
    make = {
        "empty": lambda seen: gr.Column(visible=seen),
        "body": lambda seen: gr.Row(visible=seen),
        "stop": lambda seen: gr.Button(visible=seen),
        "again": lambda seen: gr.Button(visible=seen),
        "onward": lambda label: gr.Button(label, visible=bool(label)),
        "sure": lambda _: gr.Row(visible=False),
        "losses_box": lambda seen: gr.Column(visible=seen),
        "losses": lambda seen: _plot(seen, partial(curves.losses, track.metrics, view.shown)),
        "wishes_box": lambda seen: gr.Column(visible=seen),
        "wishes": lambda seen: _plot(seen, partial(curves.preferences, track.metrics, view.shown)),
    }
    return [make.get(name, str)(new[name]) if name in new else gr.skip() for name in Parts._fields]


def _plot(seen: tuple[Any, ...], draw: Any) -> Any:
    return draw() if seen else gr.skip()


def looked(ws: Workspace, project: str | None, view: View) -> list[Any]:
    """The view and an update for every part."""
    found, new = refresh(ws, project, view)
    return [found, *updates(found, new)]


def _wire(
    ws: Workspace, page: Page, view: gr.State, parts: Parts, yes: gr.Button, no: gr.Button
) -> None:
    @shows_errors
    def on_look(project: str | None, seen: View) -> Any:
        return looked(ws, project, seen)

    @shows_errors
    def on_show(project: str | None, seen: View) -> Any:
        return looked(ws, project, replace(seen, drawn={}))

    @shows_errors
    def on_pick(project: str | None, seen: View, event: gr.EventData) -> Any:
        return looked(ws, project, replace(seen, picked=picks.picked(event)))

    given, out = [page.project, view], [view, *parts]
    kit.on_show(page, on_show, given, out)
    kit.live(page, on_look, given, out, every=2.0)
    parts.cards.click(on_pick, given, out, **kit.QUIET)
    parts.stop.click(lambda: gr.Row(visible=True), None, parts.sure, **kit.QUIET)
    no.click(lambda: gr.Row(visible=False), None, parts.sure, **kit.QUIET)
    _wire_buttons(ws, page, view, parts, yes)


def _wire_buttons(ws: Workspace, page: Page, view: gr.State, parts: Parts, yes: gr.Button) -> None:
    @shows_errors
    def on_stop(project: str | None, seen: View) -> Any:
        job = stop(ws, seen)
        gr.Info(f"{job.name} stops after its current step.", title="Stopping")
        return looked(ws, project, seen)

    @shows_errors
    def on_again(project: str | None, seen: View) -> Any:
        job = again(ws, project, seen)
        gr.Success(f"{job.name} is queued once more.", title="Started")
        return looked(ws, project, replace(seen, picked=job.id))

    @shows_errors
    def on_next(seen: View) -> gr.Tabs:
        return gr.Tabs(selected=NEXT[jobs.get(ws, LOCAL, seen.shown).kind][1])

    given, out = [page.project, view], [view, *parts]
    yes.click(on_stop, given, out, **kit.QUIET)
    parts.again.click(on_again, given, out, **kit.QUIET)
    parts.onward.click(on_next, view, page.tabs, **kit.QUIET)
