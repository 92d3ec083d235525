"""The strength dial of the chosen generation: measure it, choose a strength, use it."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.core.strength import MOST_STRENGTH
from engine.services.loop import dial
from engine.workspace import Workspace
from ui.components import markup
from ui.components.event_cursor import Track
from ui.pages.loop import dial_chart
from ui.web.session import who

STEP = 0.05
ABOUT = (
    "Every point between the start of this training (0) and its end (1) is a model, made without "
    "training. A lower strength learns less of the votes and loses less. Questions of blind rounds "
    "are not used to measure, and what measures is asked in no blind round."
)


class DialPanel(NamedTuple):
    """The components; the box shows for a generation that has a dial."""

    box: gr.Column
    picture: gr.HTML
    measure: gr.Button
    choice: gr.Row
    strength: gr.Slider
    use: gr.Button


def build() -> DialPanel:
    """The components, in the layout that is open."""
    with gr.Column(visible=False, elem_id="loop-dial") as box:
        gr.HTML(f"{markup.part('Strength', ABOUT)}")
        picture = gr.HTML("", visible=False, elem_id="loop-dial-picture")
        with gr.Row(elem_classes="tl-actions"):
            measure = gr.Button("Measure strengths", elem_id="loop-dial-measure")
        with gr.Row(visible=False, elem_classes="tl-actions") as choice:
            strength = gr.Slider(
                STEP, MOST_STRENGTH, 0.5, step=STEP, label="Strength", elem_id="loop-strength"
            )
            use = gr.Button(label(0.5), variant="primary", elem_id="loop-dial-use")
    strength.change(lambda chosen: gr.Button(label(chosen)), strength, use, **markup.QUIET)
    return DialPanel(box, picture, measure, choice, strength, use)


def label(strength: float) -> str:
    """What the button says: it makes a model at this strength."""
    return f"Use strength {strength:g}"


def picture(job: Job | None, track: Track) -> str:
    """What the newest measurement found, how far it is, or why it failed."""
    if job is None:
        return ""
    if job.state is State.FAILED:
        return markup.notice(f"The measurement failed. {job.error or ''}", "bad")
    if not job.over:
        now = track.progress
        return (
            markup.progress(now["done"], now["total"], now["label"])
            if now
            else markup.progress(0, 1, "The measurement waits for a worker")
        )
    measured = dial.result(job)
    if measured is None:
        return ""
    tone: markup.Tone = "good" if measured.recommended else "warn"
    return markup.notice(measured.sentence, tone) + dial_chart.picture(measured)


def recommended(job: Job | None) -> float | None:
    """The strength that the slider begins at; None before a measurement."""
    measured = dial.result(job) if job else None
    return None if measured is None else max(STEP, measured.recommended)


def measure(ws: Workspace, project: str, seen: Any) -> str:
    """Queue the measurement of the chosen generation; the message to show."""
    dial.start(ws, who(ws), project, _picked(seen))
    return "Every strength answers the same questions; the picture appears here."


def use(ws: Workspace, project: str, seen: Any, strength: float) -> str:
    """Queue the making of a model at this strength; the message to show."""
    job = dial.use(ws, who(ws), project, _picked(seen), round(float(strength), 2))
    return f"{job.name} becomes a generation of its own in a moment."


def _picked(seen: Any) -> str:
    if not seen.picked:
        raise UserError("No generation is chosen.", "Choose one on the chart.")
    return str(seen.picked)
