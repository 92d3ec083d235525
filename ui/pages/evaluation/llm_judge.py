"""A judge: another language model compares the answers of the evaluation that is shown."""

from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.core.job_result import Judgements, JudgeResult
from engine.core.shortened import shortened
from engine.services.evaluation import evaluations, llm_judge
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.markup import RAW
from ui.components.page import Page
from ui.components.refresh import Drawn, Refresher
from ui.pages.evaluation import start as evaluation_start
from ui.web.errors import shows_errors
from ui.web.session import who

ABOUT = (
    "{model} at {host} reads each question with both answers, in both orders, and says which is "
    "better. The texts are sent there. It can be wrong where people are not: let people decide "
    "blind before you believe it."
)
TONES: dict[str, markup.Tone] = {"better": "good", "worse": "bad"}
WIDE = 60  # characters of a question in the list


class LLMJudgePanel(NamedTuple):
    """The components; `rows` is how many questions are judged at most."""

    model: gr.Dropdown
    rows: gr.Number
    go: gr.Button
    progress: gr.HTML
    found: gr.HTML


@dataclass(frozen=True)
class JudgeView(Drawn):
    """What one browser session shows of the judge."""


REFRESHER = Refresher[JudgeView](("progress", "found"), {})


def build(ws: Workspace, page: Page, which: gr.Dropdown) -> None:
    """The folded panel under a result; `which` holds the evaluation that is shown."""
    known = llm_judge.configured()
    with gr.Accordion("Ask another model to judge", open=False, elem_id="judge"):
        where = "" if known is None else ABOUT.format(model=known.model, host=known.host)
        gr.HTML(markup.notice(where or llm_judge.missing(), "neutral" if known else "warn"))
        with gr.Row():
            model = gr.Dropdown([], value=None, label="Compare with the baseline",
                                interactive=known is not None, elem_id="judge-model")  # fmt: skip
            rows = gr.Number(50, minimum=1, maximum=10_000, precision=0, label="Questions",
                             info="Each is asked twice", interactive=known is not None,
                             elem_id="judge-rows")  # fmt: skip
        go = gr.Button("Ask the judge", interactive=known is not None, elem_id="judge-start")
        progress = gr.HTML("", elem_id="judge-progress")
        found = gr.HTML("", elem_id="judge-found")
    _wire(ws, page, which, LLMJudgePanel(model, rows, go, progress, found))


def _wire(ws: Workspace, page: Page, which: gr.Dropdown, panel: LLMJudgePanel) -> None:
    seen = gr.State(JudgeView())

    @shows_errors
    def on_which(project: str | None, chosen: str | None, model: str | None) -> Any:
        offered, kept = choices(ws, project, chosen, model)
        box = gr.Dropdown(choices=offered, value=kept)
        return [box, *poll(ws, project, chosen, kept, JudgeView())]

    @shows_errors
    def on_look(
        project: str | None, chosen: str | None, model: str | None, before: JudgeView
    ) -> Any:
        return poll(ws, project, chosen, model, before)

    @shows_errors
    def on_start(project: str | None, chosen: str | None, model: str | None, rows: Any) -> str:
        return markup.notice(f"{start(ws, project, chosen, model, rows).name} is queued.", "busy")

    drawn = [seen, panel.progress, panel.found]
    given = [page.project, which, panel.model]
    which.change(on_which, given, [panel.model, *drawn], **RAW)
    markup.live(page, on_look, [*given, seen], drawn, how=RAW)
    panel.model.input(on_look, [*given, seen], drawn, **RAW)
    panel.go.click(on_start, [*given, panel.rows], panel.progress, **RAW)


def choices(
    ws: Workspace, project: str | None, chosen: str | None, model: str | None
) -> tuple[list[tuple[str, str]], str | None]:
    """The models that the evaluation compares with its first, and the one that is chosen."""
    if not chosen:
        return [], None
    called = names.of_models(ws, project)
    evaluation = evaluations.get(ws, who(ws), chosen).models[1:]
    kept = model if model in evaluation else next(iter(reversed(evaluation)), None)
    return [(called.get(m, names.GONE), m) for m in evaluation], kept


def start(
    ws: Workspace, project: str | None, chosen: str | None, model: str | None, rows: Any
) -> Job:
    """The comparison, queued; UserError says what is missing."""
    if not project or not chosen:
        raise UserError("There is no evaluation to judge.", "Evaluate two models first.")
    if not model:
        raise UserError("This evaluation has one model only.", "Evaluate two models together.")
    return llm_judge.submit(ws, who(ws), project, chosen, model, int(rows or 1))


def poll(
    ws: Workspace, project: str | None, chosen: str | None, model: str | None, seen: JudgeView
) -> list[Any]:
    """The view, progress and what the judge said, each where it is new."""
    now = (chosen, model, lifecycle.revision(ws, who(ws), project) if project and chosen else "")
    if now == seen.revision and not seen.tracks:
        return REFRESHER.unchanged()
    asked = llm_judge.of_evaluation(ws, who(ws), project, chosen) if project and chosen else []
    seen, going = evaluation_start.followed(ws, replace(seen, revision=now), asked)
    job = llm_judge.newest(asked, model or "")
    values = {
        "progress": going or _failure(asked),
        "found": (chosen, model, job.id if job else ""),
    }
    return REFRESHER.changed(seen, values, {"found": lambda _: shown(ws, job) if job else ""})


def shown(ws: Workspace, job: Job) -> str:
    """The verdict, how often the judge failed or contradicted itself, what it chose, as HTML."""
    result = job.result_as(JudgeResult)
    judged, by = result.judged, result.judge
    if judged is None or by is None or result.verdict is None:
        return ""
    tone = TONES.get(result.verdict.decision, "neutral")
    stats = markup.stats(
        [
            markup.stat("wins", str(judged.wins)),
            markup.stat("losses", str(judged.losses)),
            markup.stat("ties", str(judged.ties), f"{judged.contradicted} by contradiction"),
            markup.stat("failed", str(judged.failed), "not counted"),
        ]
    )
    how = f"By {by.model} at {by.host}, each pair in both orders."
    return (
        f"{markup.notice(result.sentence, tone)}{stats}"
        f'<p class="tl-hint">{escape(how)}</p>{_choices(ws, job, judged)}'
    )


def _choices(ws: Workspace, job: Job, judged: Judgements) -> str:
    """Question by question, folded."""
    asked = job.result_as(JudgeResult).rows
    words = {"new": "won", "base": "lost", "tie": "tied", None: "failed"}
    rows = {row.index: row for row in evaluations.get(ws, who(ws), job.recipe["evaluation"]).rows}
    lines = "".join(
        f"<li>{markup.badge(words[choice])} {escape(_short(rows[index].prompt[-1].content))}</li>"
        for index, choice in zip(asked, judged.choices, strict=True)
    )
    summary = f"Judgements by question ({len(asked)})"
    return (
        f'<details class="tl-hint"><summary>{summary}</summary>'
        f'<ul class="tl-held">{lines}</ul></details>'
    )


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), WIDE)


def _failure(asked: list[Job]) -> str:
    if asked and asked[0].state is State.FAILED:
        return markup.notice(f"The judge could not be asked: {asked[0].error}", "bad")
    return ""
