"""What one look at the runs finds, and which parts of the page it changes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from engine.core.job import Job, State
from engine.services.jobs import compare, lifecycle, listing, queue
from engine.services.jobs.queue import Waiting
from engine.workspace import Workspace
from ui.components import follow, names
from ui.components.follow import Track
from ui.components.page import NavigationTarget
from ui.pages.jobs import compare as side_by_side
from ui.pages.jobs import curves, numbers, render, settings, studies
from ui.pages.jobs.layout import JobsParts
from ui.web.session import who

ELSEWHERE = ("play",)  # has a tab of its own
ONCE = ("generate", "demo")  # belong to a round or a project that is made for them
NEXT = {
    "reward": ("Train with this reward model", "training"),
    "sweep": ("Evaluate the best model", "evaluation"),
    "curve": ("Add data", "data"),
    "evaluate": ("Open the evaluation", "evaluation"),
    "judge": ("Open the judge's comparison", "evaluation"),
    "generate": ("Rate the answers", "rating"),
    "demo": ("Open the project", "home"),
}
NO_MATCH = '<p class="tl-hint">No job matches.</p>'


@dataclass(frozen=True)
class JobsView:
    """What one browser tab looks at: the run somebody picked, what is read, what is drawn."""

    picked: str = ""
    shown: str = ""
    tracks: dict[str, Track] = field(default_factory=dict)
    drawn: dict[str, Any] = field(default_factory=dict)


class ListFilter(NamedTuple):
    """What somebody typed and chose beside the list."""

    text: str = ""
    tags: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()


ANYTHING = ListFilter()


def next_step(job: Job) -> tuple[str, str]:
    """What one does with a run that is done: words of the button, and the tab it opens."""
    usual = ("Evaluate it", "evaluation") if lifecycle.trains(job.kind) else ("", "")
    return NEXT.get(job.kind, usual)


def aims_at(job: Job) -> NavigationTarget:
    """What the tab of the next step shows first, where the run names it."""
    recipe = job.recipe
    if job.kind in ("evaluate", "judge"):
        return NavigationTarget(
            evaluation=job.result.evaluation_id or recipe.get("evaluation") or ""
        )
    if job.kind == "generate":
        return NavigationTarget(round=recipe.get("round") or "")
    return NavigationTarget()


def refresh(
    ws: Workspace, project: str | None, view: JobsView, asked: ListFilter = ANYTHING
) -> tuple[JobsView, dict[str, Any]]:
    """What this look found, and what of it is not on the page yet, by the name of its part."""
    every = lifecycle.list_all(ws, who(ws), project) if project else []
    found = [job for job in every if job.kind not in ELSEWHERE]
    if not found:
        fresh: dict[str, Any] = {"empty": True, "body": False}
        return _changed(JobsView(), fresh, view.drawn)
    job = chosen(found, view.picked)
    compared = [one for one in found if one.id in asked.compared][: compare.MOST]
    kept = {one.id: view.tracks.get(one.id, Track()) for one in found}
    live = [one for one in found if not one.over or one.id == job.id or one in compared]
    tracks = kept | {one.id: follow.look(ws, one, kept[one.id]) for one in live}
    waits = {one.job_id: one for one in queue.queue(ws, who(ws))}
    listed = matching(ws, project or "", found, asked)
    cards = render.cards(listed, job.id, waits, tracks) if listed else NO_MATCH
    fresh = {"empty": False, "body": True, "cards": cards, **_choices(found)}
    fresh |= opened(ws, project or "", job, tracks[job.id], waits.get(job.id), view)
    fresh |= _compared(ws, project or "", compared, tracks)
    return _changed(replace(view, shown=job.id, tracks=tracks), fresh, view.drawn)


def matching(ws: Workspace, project: str, found: list[Job], asked: ListFilter) -> list[Job]:
    """The runs that the list shows."""
    if not asked.text.strip() and not asked.tags:
        return found
    ids = {job.id for job in listing.search(ws, who(ws), project, asked.text, asked.tags)}
    return [job for job in found if job.id in ids]


def chosen(found: list[Job], picked: str) -> Job:
    """The run somebody picked; else the newest that runs; else the newest."""
    for job in found:
        if job.id == picked:
            return job
    running = [job for job in found if job.state is State.RUNNING and job.kind != "demo"]
    return (running or found)[0]


def opened(
    ws: Workspace, project: str, job: Job, track: Track, waits: Waiting | None, view: JobsView
) -> dict[str, Any]:
    """The parts of one run's page; a run that is over and drawn is left as it is."""
    run = (job.id, job.state, job.name, job.note, job.tags)
    if job.over and track.whole and view.drawn.get("run") == run:
        return {}
    called = names.of_models(ws, project) | names.of_datasets(ws, project)
    goes_on = lifecycle.trains(job.kind) and lifecycle.can_resume(ws, who(ws), job.id)
    return {
        "run": run if job.over else None,
        "top": render.top(job, track, waits, called, lifecycle.worker_alive(ws, who(ws)), goes_on),
        **_buttons(job, goes_on),
        **_edited(job),
        **_drawings(job, track),
        "report": render.report(job) + studies.words(job, track),
        "samples": numbers.samples(track),
        "settings": settings.table(job, called),
        "log": render.log(track),
    }


def _buttons(job: Job, goes_on: bool) -> dict[str, Any]:
    going, trains = not job.over and not job.cancel_requested, lifecycle.trains(job.kind)
    return {
        "stop": going,
        "keep": going and trains and job.state is State.RUNNING,
        "again": job.over and job.kind not in ONCE,
        "resume": goes_on,
        "onward": next_step(job)[0] if job.state is State.DONE else "",
        "delete": job.over,
        "sure": (job.id, job.over or job.cancel_requested),  # closed when this changes
        "sure_delete": job.id,
    }


def _edited(job: Job) -> dict[str, Any]:
    """What the edit fields hold: set anew only with another run, or when it was changed."""
    values = {"name": job.name, "note": job.note, "tags": ", ".join(job.tags)}
    return {name: (job.id, value) for name, value in values.items()}


def _drawings(job: Job, track: Track) -> dict[str, Any]:
    drawing = (job.id, len(track.metrics), len(track.trials), job.over)
    seen = {
        "losses": any("loss" in e.data or "eval_loss" in e.data for e in track.metrics),
        "wishes": curves.has_preferences(track.metrics),
        "rates": curves.has_rates(track.metrics),
        "study": studies.has_picture(job, track),
    }
    boxes = {f"{name}_box": there for name, there in seen.items()}
    return boxes | {name: (drawing, job) if there else () for name, there in seen.items()}


def _choices(found: list[Job]) -> dict[str, Any]:
    trainings = [(f"{job.name}, {names.moment(job.created_at)}", job.id)
                 for job in found if lifecycle.trains(job.kind)]  # fmt: skip
    tags = sorted({tag for job in found for tag in job.tags}, key=str.casefold)
    return {"tag_filter": tags, "compared": trainings, "compare_box": len(trainings) > 1}


def _compared(
    ws: Workspace, project: str, found: list[Job], tracks: dict[str, Track]
) -> dict[str, Any]:
    if len(found) < compare.FEWEST:
        return {"overlay_box": False, "overlay": (), "compare_table": side_by_side.ASK}
    called = names.of_models(ws, project) | names.of_datasets(ws, project)
    return {
        "overlay_box": True,
        "overlay": tuple((job.id, len(tracks[job.id].metrics)) for job in found),
        "compare_table": side_by_side.table(found, called),
        "overlaid": found,
    }


def _changed(
    view: JobsView, fresh: dict[str, Any], drawn: dict[str, Any]
) -> tuple[JobsView, dict[str, Any]]:
    """The view with what is now drawn, and the part of `fresh` that was not."""
    new = {name: value for name, value in fresh.items() if drawn.get(name, ...) != value}
    return replace(view, drawn={**drawn, **fresh}), new


def updates(view: JobsView, new: dict[str, Any], asked: ListFilter = ANYTHING) -> list[Any]:
    """A component's update for every part; a part that did not change is skipped."""
    make = {**_shows(), **_plots(view), **_fields(asked)}
    return [
        make.get(name, str)(new[name]) if name in new else gr.skip() for name in JobsParts._fields
    ]


def _shows() -> dict[str, Callable[[Any], Any]]:
    def column(seen: bool) -> Any:
        return gr.Column(visible=seen)

    def button(seen: bool) -> Any:
        return gr.Button(visible=seen)

    boxes = ("empty", "losses_box", "wishes_box", "study_box", "overlay_box")
    return {
        **dict.fromkeys(boxes, column),
        **dict.fromkeys(("stop", "keep", "again", "resume", "delete"), button),
        "body": lambda seen: gr.Row(visible=seen),
        "onward": lambda label: gr.Button(label, visible=bool(label)),
        "sure": lambda _: gr.Row(visible=False),
        "sure_delete": lambda _: gr.Row(visible=False),
        "rates_box": lambda seen: gr.Accordion(visible=seen),
        "compare_box": lambda seen: gr.Accordion(visible=seen),
    }


def _plots(view: JobsView) -> dict[str, Callable[[Any], Any]]:
    track, run = view.tracks.get(view.shown, Track()), view.shown

    def plot(draw: Callable[[], Any]) -> Callable[[Any], Any]:
        return lambda seen: draw() if seen else gr.skip()

    overlaid = view.drawn.get("overlaid", [])
    return {
        "losses": plot(partial(curves.losses, track.metrics, run)),
        "wishes": plot(partial(curves.preferences, track.metrics, run)),
        "rates": plot(partial(curves.rates, track.metrics, run)),
        "study": lambda seen: studies.picture(seen[1], track) if seen else gr.skip(),
        "overlay": plot(partial(side_by_side.losses, overlaid, view.tracks)),
    }


def _fields(asked: ListFilter) -> dict[str, Callable[[Any], Any]]:
    def among(offered: list[Any], wanted: tuple[str, ...]) -> Any:
        known = {each[1] if isinstance(each, tuple) else each for each in offered}
        kept = [each for each in wanted if each in known]
        return gr.Dropdown(choices=offered, value=kept, multiselect=True, visible=bool(offered))

    return {
        **dict.fromkeys(("name", "note", "tags"), lambda held: held[1]),
        "tag_filter": lambda offered: among(offered, asked.tags),
        "compared": lambda offered: among(offered, asked.compared),
    }


def looked(
    ws: Workspace, project: str | None, view: JobsView, asked: ListFilter = ANYTHING
) -> list[Any]:
    """The view and an update for every part."""
    found, new = refresh(ws, project, view, asked)
    return [found, *updates(found, new, asked)]
