"""Export: choose a model and a format, see whether the files answer as the model does."""

from html import escape
from typing import Any, NamedTuple, get_args

import gradio as gr

from engine.core.errors import UserError
from engine.core.export import Precision, Quantisation
from engine.core.job import Job, State
from engine.core.job_result import ExportResult
from engine.services import exports
from engine.services.exports import Format
from engine.services.jobs import lifecycle, listing, queue_position
from engine.services.jobs.queue_position import Waiting
from engine.workspace import Workspace
from ui.components import event_cursor, job_words, markup, names, refresh
from ui.components.event_cursor import Track
from ui.components.page import NavigationTarget, Page, opened
from ui.components.refresh import Drawn, Refresher
from ui.web import sent
from ui.web.errors import shows_errors
from ui.web.session import who

POLL_EVERY_S = 1.0
LATEST = 12  # exports listed
ACTS = {"open": "Open the job", "stop": "Stop", "again": "Try again", "remove": "Remove"}
CLICKED = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (button) trigger('click', {act: button.dataset.act, job: button.dataset.job});
});
"""
INTRO = (
    "The exported files answer held-out questions in their own program, and every answer is "
    "compared with the model's: a model that changed on the way is seen before anybody uses it."
)


class ExportParts(NamedTuple):
    """What a poll may change."""

    list: gr.HTML
    timer: gr.Timer


REFRESHER = Refresher[Drawn](ExportParts._fields, {"timer": lambda live: gr.Timer(active=live)})


def build(ws: Workspace, page: Page) -> tuple[gr.Accordion, gr.Dropdown]:
    """The panel; its box and its choice of models are for the page to show and to fill."""
    offered = exports.formats()
    with gr.Accordion("Export a model", open=False, elem_id="models-export", visible=False) as box:
        gr.HTML(f'<p class="tl-hint">{INTRO}</p>')
        with gr.Row():
            model = gr.Dropdown([], label="Model", elem_id="export-model")
            to = gr.Dropdown(
                [(each.title, each.name) for each in offered],
                value=offered[0].name,
                label="Format",
                elem_id="export-to",
            )
            bits = gr.Dropdown(
                list(get_args(Quantisation)),
                value="F16",
                label="Bits for each weight",
                info="F32 keeps the weights, F16 the answers; Q8_0 and Q4_K_M are smaller",
                visible=False,
                elem_id="export-bits",
            )
            precision = gr.Dropdown(
                list(get_args(Precision)),
                value="float32",
                label="Precision",
                info="float32 is exact; bfloat16 is half as large",
                visible=False,
                elem_id="export-precision",
            )
        summary = gr.HTML(_summary(offered[0]), elem_id="export-summary")
        with gr.Row(visible=False) as on_hub:
            repository = gr.Textbox(
                label="Repository",
                value="",
                placeholder="owner/name",
                info="On the Hugging Face Hub, with the token of this server",
                min_width=260,
                elem_id="export-repository",
            )
            private = gr.Checkbox(
                True,
                label="Private",
                info="Only its owner sees the repository",
                min_width=220,
                elem_id="export-private",
            )
        certify = gr.Checkbox(
            True,
            label="Compare the answers",
            info="50 held-out questions, answered by the model and by the exported files",
            elem_id="export-certify",
        )
        go = gr.Button("Export", variant="primary", elem_id="export-go")
    found = gr.HTML("", elem_id="export-list", js_on_load=CLICKED)
    timer = gr.Timer(POLL_EVERY_S, active=False)
    view = gr.State(Drawn())
    parts = ExportParts(found, timer)

    @shows_errors
    def on_format(name: str) -> tuple[Any, ...]:
        chosen = exports.format_named(name)
        return (
            gr.Dropdown(visible="quantisation" in chosen.options),
            gr.Dropdown(visible="precision" in chosen.options),
            gr.Row(visible="repository" in chosen.options),
            _summary(chosen),
        )

    @shows_errors
    def on_go(project: str | None, view: Drawn, *asked: Any) -> list[Any]:
        fields = ("model", "to", "quantisation", "precision", "certify", "repository", "private")
        given = zip(fields, asked, strict=True)
        values = {name: value for name, value in given if value is not None}
        exports.start(ws, who(ws), opened(project), values)
        return draw(ws, project, view)

    @shows_errors
    def on_look(project: str | None, view: Drawn) -> list[Any]:
        return draw(ws, project, view)

    @shows_errors
    def on_act(project: str | None, view: Drawn, event: gr.EventData) -> list[Any]:
        act, job_id = sent.detail(event, "act"), sent.detail(event, "job")
        if act == "open":
            there = [NavigationTarget(run=job_id), gr.Tabs(selected="jobs")]
            return [*there, *REFRESHER.unchanged()]
        act_on(ws, act, job_id)
        return [gr.skip(), gr.skip(), *draw(ws, project, view)]

    outputs = [view, *parts]
    acted = [page.target, page.tabs, *outputs]
    found.click(on_act, [page.project, view], acted, **markup.QUIET)
    to.change(on_format, to, [bits, precision, on_hub, summary], **markup.QUIET)
    asked = [model, to, bits, precision, certify, repository, private]
    go.click(on_go, [page.project, view, *asked], outputs, **markup.QUIET)
    timer.tick(on_look, [page.project, view], outputs, **markup.QUIET)
    markup.on_show(page, on_look, [page.project, view], outputs)
    return box, model


def draw(ws: Workspace, project: str | None, view: Drawn) -> list[Any]:
    """The exports of the project as they stand, and whether there is more to wait for."""
    jobs = exports.list_all(ws, who(ws), project)[:LATEST] if project else []
    live = [job for job in jobs if not job.over]
    view = refresh.reading(ws, view, live)
    called = names.of_models(ws, project) if jobs else {}
    waits = {one.job_id: one for one in queue_position.queue(ws, who(ws))} if live else {}
    alive = not live or lifecycle.worker_alive(ws, who(ws))
    cards = "".join(card(job, called, view.track(job.id), waits.get(job.id), alive) for job in jobs)
    text = markup.part("Exports") + f'<div class="tl-cards tl-cards-wide">{cards}</div>'
    return REFRESHER.changed(view, {"list": text if jobs else "", "timer": bool(live)})


def card(job: Job, called: dict[str, str], track: Track, waits: Waiting | None, alive: bool) -> str:
    """An export: the model, the format, where it stands, and what can be done about it."""
    name = called.get(str(job.recipe.get("model", "")), names.GONE)
    buttons = "".join(
        f'<button type="button" data-act="{act}" data-job="{escape(job.id)}">{ACTS[act]}</button>'
        for act in _acts(job)
    )
    return (
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(name)}</b>'
        f"{markup.badge(exports.format_name(job.recipe), 'neutral')}</div>"
        f"{_body(job, track, waits, alive)}"
        f'<div class="tl-card-foot"><span>{job_words.moment(job)}</span>'
        f'<span class="tl-card-acts">{buttons}</span></div></div>'
    )


def _acts(job: Job) -> tuple[str, ...]:
    if not job.over:
        return ("open",) if job.cancel_requested else ("open", "stop")
    return ("open",) if job.state is State.DONE else ("open", "again", "remove")


def act_on(ws: Workspace, act: str, job_id: str) -> None:
    """Stop, repeat or remove an export; UserError for anything that no button asks."""
    do = {"stop": lifecycle.cancel, "again": exports.again, "remove": listing.remove}.get(act)
    if do is None:
        raise UserError(*sent.NOT_OF_THE_PAGE)
    do(ws, who(ws), job_id)


def _summary(chosen: Format) -> str:
    return f'<p class="tl-hint">{escape(chosen.summary)}</p>'


def _body(job: Job, track: Track, waits: Waiting | None, alive: bool) -> str:
    if isinstance(job.result, ExportResult) and job.state is State.DONE:
        return job_words.exported(job.id, job.result)
    if job.state is State.CANCELLED:
        return markup.notice(job_words.stopped(job), "neutral")
    if job.over:
        return markup.notice(job.error or event_cursor.STATES[job.state], "bad")
    if job.cancel_requested:
        return markup.notice("Stops after its current step.", "neutral")
    if job.state is State.QUEUED:
        return job_words.turn(job, waits, alive)
    return job_words.progress(job, track, event_cursor.STATES[job.state])
