"""Export: choose a model and a format, see whether the files answer as the model does."""

from html import escape
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

import gradio as gr

from engine.core.export import Precision, Quantisation
from engine.core.job import Job, State
from engine.core.job_result import ExportResult
from engine.services import exports
from engine.services.exports import Format
from engine.workspace import Workspace
from ui.components import event_cursor, markup, names, refresh
from ui.components.event_cursor import Track
from ui.components.page import Page, opened
from ui.components.refresh import Drawn, Refresher
from ui.web.errors import shows_errors
from ui.web.session import who

POLL_EVERY_S = 1.0
LATEST = 12  # exports listed
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
    found = gr.HTML("", elem_id="export-list")
    timer = gr.Timer(POLL_EVERY_S, active=False)
    view = gr.State(Drawn())
    parts = ExportParts(found, timer)

    @shows_errors
    def on_format(name: str) -> tuple[Any, ...]:
        chosen = next(each for each in offered if each.name == name)
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

    outputs = [view, *parts]
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
    cards = "".join(_card(job, called, view.track(job.id)) for job in jobs)
    text = markup.part("Exports") + f'<div class="tl-cards tl-cards-wide">{cards}</div>'
    return REFRESHER.changed(view, {"list": text if jobs else "", "timer": bool(live)})


def _summary(chosen: Format) -> str:
    return f'<p class="tl-hint">{escape(chosen.summary)}</p>'


def _card(job: Job, called: dict[str, str], track: Track) -> str:
    titles = {each.name: each.title for each in exports.formats()}
    to = str(job.recipe.get("to", ""))
    name = called.get(str(job.recipe.get("model", "")), names.GONE)
    return (
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(name)}</b>'
        f"{markup.badge(titles.get(to, to), 'neutral')}</div>{_body(job, track)}"
        f'<div class="tl-card-foot"><span>{markup.when(job.created_at)}</span></div></div>'
    )


def _body(job: Job, track: Track) -> str:
    if isinstance(job.result, ExportResult) and job.state is State.DONE:
        return _done(job.id, job.result)
    if job.over:
        return markup.notice(job.error or event_cursor.STATES[job.state], "bad")
    at = track.latest.data if track.latest else None
    if at is None:
        last = track.logged[-1] if track.logged else event_cursor.STATES[job.state]
        return markup.notice(last, "busy")
    label = "Sending files" if at["label"] == "files" else "Comparing answers"
    return markup.progress(at["done"], at["total"], label)


def _done(job_id: str, found: ExportResult) -> str:
    size = sum(file.bytes for file in found.files) / 1e6
    proof = found.certificate
    tone: markup.Tone = "neutral"
    if proof:
        tone = "good" if proof.holds else "warn"
    link = f"downloads/exports/{quote(job_id, safe='')}"
    pushed = (
        f"<p>On the Hub: {escape(found.url or '')}, commit {escape(found.commit or '')[:12]}.</p>"
    )
    return (
        f"{markup.notice(found.sentence, tone)}{pushed if found.url else ''}"
        '<nav class="tl-downloads" aria-label="Files">'
        f'<a class="tl-download" href="{link}" download>'
        f"Download ({len(found.files)} files, {size:,.1f} MB)</a></nav>"
    )
