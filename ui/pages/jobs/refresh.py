"""The poll of the Jobs page: what a look at the runs finds, and which parts it changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, TypedDict

import gradio as gr

from engine.core.job import Job, State
from engine.services.jobs import compare, lifecycle, listing, queue_position
from engine.services.jobs.queue_position import Waiting
from engine.workspace import Workspace
from ui.components import job_words, markup, names, refresh
from ui.components.event_cursor import Track
from ui.components.page import NavigationTarget, PageName
from ui.components.refresh import Drawn, Refresher, Update
from ui.pages.jobs import compare as side_by_side
from ui.pages.jobs import curves, downloads, render, run_summary, settings, studies
from ui.pages.jobs.layout import JobsParts
from ui.web.session import who

ELSEWHERE = ("play", "download")  # the Playground page and the Models page show them
ONCE = ("generate", "demo")  # belong to a round or a project that is made for them
NEXT: dict[str, tuple[str, PageName]] = {
    "reward": ("Train with this reward model", "training"),
    "sweep": ("Evaluate the best model", "evaluation"),
    "curve": ("Add data", "data"),
    "evaluate": ("Open the evaluation", "evaluation"),
    "judge": ("Open the judge's comparison", "evaluation"),
    "generate": ("Open its round", "rating"),
    "demo": ("Open the project", "home"),
}
NO_MATCH = '<p class="tl-hint">No job matches.</p>'


# what a chart is drawn from: (job id, measurements, trials, whether it is over), and the job
ChartSource = tuple[tuple[str, int, int, bool], Job]
Chart = ChartSource | tuple[()]  # empty where nothing is drawn


@dataclass(frozen=True)
class JobsView(Drawn):
    """What one browser session shows of the Jobs page: the job somebody picked, the one shown."""

    picked: str = ""
    shown: str = ""
    live: bool = False  # a job of the project is not over, so a poll reads more than a revision


class ListFilter(NamedTuple):
    """What somebody typed and chose beside the list."""

    text: str = ""
    tags: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()


ANYTHING = ListFilter()


class JobsValues(TypedDict, total=False):
    """The value of each part that a look may change; `run` is only remembered.

    The edit fields hold the id of the job beside their text, the charts what decides how they look.
    """

    empty: bool
    body: bool
    tag_filter: list[str]
    cards: str
    compare_box: bool
    compared: list[tuple[str, str]]
    overlay_box: bool
    overlay: tuple[tuple[str, int], ...]
    compare_table: str
    run: tuple[str, State, str, str, tuple[str, ...], str] | None
    top: str
    next_step: str
    again: bool
    resume: bool
    keep: bool
    stop: bool
    sure: tuple[str, bool]
    stop_words: str
    report: str
    study_box: bool
    study: Chart
    losses_box: bool
    losses: Chart
    margins_box: bool
    margins: Chart
    samples: str
    rates_box: bool
    rates: Chart
    name: tuple[str, str]
    tags: tuple[str, str]
    note: tuple[str, str]
    delete: bool
    sure_delete: str
    leave_box: bool
    leave: str
    settings: str
    log: str


class JobsRefresh(NamedTuple):
    """What a look found: the view, the value of each part, and how its charts are drawn."""

    view: JobsView
    values: JobsValues
    draws: dict[str, Update] = {}  # noqa: RUF012  (never changed in place)


def _plain_shows() -> dict[str, Update]:
    columns = ("empty", "losses_box", "margins_box", "study_box", "overlay_box")
    buttons = ("stop", "keep", "again", "resume", "delete")
    return {
        **dict.fromkeys(columns, refresh.shown(gr.Column)),
        **dict.fromkeys(buttons, refresh.shown(gr.Button)),
        **dict.fromkeys(("rates_box", "compare_box", "leave_box"), refresh.shown(gr.Accordion)),
        **dict.fromkeys(("sure", "sure_delete"), lambda _: gr.Row(visible=False)),
        **dict.fromkeys(("name", "note", "tags"), lambda held: held[1]),
        "body": refresh.shown(gr.Row),
        "next_step": lambda label: gr.Button(label, visible=bool(label)),
    }


REFRESHER = Refresher[JobsView](JobsParts._fields, _plain_shows())


def own_test(job: Job, jobs: Sequence[Job]) -> Job | None:
    """The evaluation that a training queued by itself; None where there is none or it broke off."""
    test = next((one for one in jobs if one.id == job.result.evaluation_job_id), None)
    return None if test and test.state in (State.FAILED, State.CANCELLED) else test


def next_step(job: Job, test: Job | None = None) -> tuple[str, PageName | Literal[""]]:
    """What one does with a run that is done: words of the button, and the tab it opens.

    `test` is the evaluation that it queued by itself: nobody needs to start another.
    """
    if test:
        stands = job_words.STATES[test.state][0]
        words = "Open its evaluation" if test.over else f"Show its evaluation ({stands})"
        return words, "evaluation" if test.over else "jobs"
    if job.kind in NEXT:
        return NEXT[job.kind]
    return ("Evaluate it", "evaluation") if lifecycle.trains(job.kind) else ("", "")


def aims_at(job: Job, test: Job | None = None) -> NavigationTarget:
    """What the tab of the next step shows first, where the run names it."""
    if test:
        return aims_at(test) if test.over else NavigationTarget(run=test.id)
    recipe = job.recipe
    if job.kind in ("evaluate", "judge"):
        return NavigationTarget(
            evaluation=job.result.evaluation_id or recipe.get("evaluation") or ""
        )
    if job.kind == "generate":
        return NavigationTarget(round=recipe.get("round") or "")
    return NavigationTarget()


def poll(
    ws: Workspace, project: str | None, view: JobsView, asked: ListFilter = ANYTHING
) -> list[Any]:
    """The view and an update for every part; nothing is read while no job changed or runs."""
    now = (project, lifecycle.revision(ws, who(ws), project) if project else "", view.picked, asked)
    if now == view.revision and not view.live:
        return REFRESHER.unchanged()
    found = read_parts(ws, project, view, asked)
    seen = replace(found.view, revision=now)
    return REFRESHER.changed(seen, found.values, found.draws)


def read_parts(
    ws: Workspace, project: str | None, view: JobsView, asked: ListFilter = ANYTHING
) -> JobsRefresh:
    """The value of every part; those of a job that is over and drawn are left out."""
    every = lifecycle.list_all(ws, who(ws), project) if project else []
    found = [job for job in every if job.kind not in ELSEWHERE]
    if not found or project is None:
        return JobsRefresh(JobsView(marks=view.marks), {"empty": True, "body": False})
    job = chosen(found, view.picked)
    compared = [one for one in found if one.id in asked.compared][: compare.MOST]
    read = [one for one in found if not one.over or one.id == job.id or one in compared]
    seen = refresh.reading(ws, view, read)
    seen = replace(seen, shown=job.id, live=any(not one.over for one in found))
    waits = {one.job_id: one for one in queue_position.queue(ws, who(ws))} if seen.live else {}
    listed = matching(ws, project, found, asked)
    cards = render.cards(listed, job.id, waits, seen.tracks) if listed else NO_MATCH
    values: JobsValues = {
        "empty": False,
        "body": True,
        "cards": cards,
        **_choices(found),
        **opened(ws, project, job, own_test(job, found), waits.get(job.id), seen),
        **_compared(ws, project, compared, seen),
    }
    return JobsRefresh(seen, values, {**_plots(seen, compared), **_fields(asked)})


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
    ws: Workspace,
    project: str,
    job: Job,
    test: Job | None,
    waits: Waiting | None,
    view: JobsView,
) -> JobsValues:
    """The parts of one run's page; a run that is over and drawn is left as it is."""
    track = view.track(job.id)
    run = (job.id, job.state, job.name, job.note, job.tags, next_step(job, test)[0])
    if job.over and track.whole and view.shows("run", run):
        return {}
    called = names.of_models(ws, project) | names.of_datasets(ws, project)
    goes_on = lifecycle.trains(job.kind) and lifecycle.can_resume(ws, who(ws), job.id)
    leave = downloads.links(job)
    return {
        "run": run if job.over else None,
        "top": render.top(job, track, waits, called, lifecycle.worker_alive(ws, who(ws)), goes_on),
        **_buttons(job, test, goes_on),
        **_edited(job),
        **_drawings(job, track),
        "report": render.report(job) + studies.words(job, track),
        "samples": run_summary.samples(track),
        "leave_box": bool(leave),
        "leave": leave,
        "settings": settings.table(job, called),
        "log": render.log(track),
    }


def _buttons(job: Job, test: Job | None, goes_on: bool) -> JobsValues:
    going, trains = not job.over and not job.cancel_requested, lifecycle.trains(job.kind)
    return {
        "stop": going,
        "keep": going and trains and job.state is State.RUNNING,
        "again": job.over and job.kind not in ONCE,
        "resume": goes_on,
        "next_step": next_step(job, test)[0] if job.state is State.DONE else "",
        "delete": job.over,
        "sure": (job.id, job.over or job.cancel_requested),  # closed when this changes
        "stop_words": markup.notice(job_words.stop_question(job), "warn"),
        "sure_delete": job.id,
    }


def _edited(job: Job) -> JobsValues:
    """What the edit fields hold: set anew only with another run, or when it was changed."""
    return {
        "name": (job.id, job.name),
        "note": (job.id, job.note),
        "tags": (job.id, ", ".join(job.tags)),
    }


def _drawings(job: Job, track: Track) -> JobsValues:
    source: Chart = ((job.id, track.measured, len(track.trials), job.over), job)
    losses = any("loss" in e.data or "eval_loss" in e.data for e in track.metrics)
    margins = curves.has_preferences(track.metrics)
    rates = curves.has_rates(track.metrics)
    study = studies.has_picture(job, track)
    return {
        "losses_box": losses,
        "losses": source if losses else (),
        "margins_box": margins,
        "margins": source if margins else (),
        "rates_box": rates,
        "rates": source if rates else (),
        "study_box": study,
        "study": source if study else (),
    }


def _choices(found: list[Job]) -> JobsValues:
    trainings = [(f"{job.name}, {names.moment(job.created_at)}", job.id)
                 for job in found if lifecycle.trains(job.kind)]  # fmt: skip
    tags = sorted({tag for job in found for tag in job.tags}, key=str.casefold)
    return {"tag_filter": tags, "compared": trainings, "compare_box": len(trainings) > 1}


def _compared(ws: Workspace, project: str, found: list[Job], view: JobsView) -> JobsValues:
    if len(found) < compare.FEWEST:
        return {"overlay_box": False, "overlay": (), "compare_table": side_by_side.ASK}
    called = names.of_models(ws, project) | names.of_datasets(ws, project)
    return {
        "overlay_box": True,
        "overlay": tuple((job.id, view.track(job.id).measured) for job in found),
        "compare_table": side_by_side.table(found, called),
    }


def _plots(view: JobsView, compared: list[Job]) -> dict[str, Update]:
    track, run = view.track(view.shown), view.shown

    def plot(draw: Callable[[], Any]) -> Update:
        return lambda seen: draw() if seen else gr.skip()

    return {
        "losses": plot(partial(curves.losses, track.metrics, run)),
        "margins": plot(partial(curves.preferences, track.metrics, run)),
        "rates": plot(partial(curves.rates, track.metrics, run)),
        "study": lambda seen: studies.picture(seen[1], track) if seen else gr.skip(),
        "overlay": plot(partial(side_by_side.losses, compared, view.tracks)),
    }


def _fields(asked: ListFilter) -> dict[str, Update]:
    def among(offered: list[Any], wanted: tuple[str, ...]) -> Any:
        known = {each[1] if isinstance(each, tuple) else each for each in offered}
        kept = [each for each in wanted if each in known]
        return gr.Dropdown(choices=offered, value=kept, multiselect=True, visible=bool(offered))

    return {
        "tag_filter": lambda offered: among(offered, asked.tags),
        "compared": lambda offered: among(offered, asked.compared),
    }
