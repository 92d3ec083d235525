"""The Evaluation page: ask held-out questions, see which model is better and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from engine.core.evaluation import Evaluation
from engine.services.evaluation import evaluations, slices
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.markup import RAW
from ui.components.names import moment
from ui.components.page import NavigationTarget, Page
from ui.components.refresh import Drawn, Refresher
from ui.pages.evaluation import (
    answers,
    benchmarks,
    layout,
    llm_judge,
    refresh,
    render,
    speed,
    start,
)
from ui.pages.evaluation.layout import EvaluationParts
from ui.pages.evaluation.refresh import Choice
from ui.pages.evaluation.start import Start
from ui.web import sent
from ui.web.errors import shows_errors
from ui.web.session import who

Draw = Callable[..., list[Any]]


@dataclass(frozen=True)
class EvaluationView(Drawn):
    """What one browser session shows of the Evaluation page, and the evaluations it knows of."""

    known: tuple[str, ...] | None = None


# the panel is folded once there is something to read below it, and before there are questions
REFRESHER = Refresher[EvaluationView](
    ("fold", "progress"), {"fold": lambda folded: gr.Accordion(open=not folded)}
)


def build(ws: Workspace, page: Page) -> None:
    """The tab: the panel that starts an evaluation, then what the chosen one found."""
    gr.HTML(
        markup.head("Evaluation", "Compare models on held-out questions, which no training saw.")
    )
    view = gr.State(EvaluationView())
    with gr.Row(elem_classes="tl-next tl-next-bar", elem_id="evaluate-next"):
        next_words = gr.HTML("")
        to_rating = gr.Button("Rate the answers", variant="primary", visible=False,
                              elem_id="evaluate-to-rating")  # fmt: skip
        to_training = gr.Button("Train again", variant="primary", visible=False,
                                elem_id="evaluate-to-training")  # fmt: skip
    markup.goto(to_rating, page, "rating")
    markup.goto(to_training, page, "training")
    with gr.Accordion("New evaluation", open=True, elem_id="evaluate-new") as fold:
        panel = start.build()
    progress = gr.HTML("", elem_id="evaluate-progress")
    with gr.Column(visible=False) as empty:
        why = gr.HTML("", elem_id="evaluate-empty")
        to_data = gr.Button("Add data", variant="primary", visible=False,
                            elem_id="evaluate-to-data")  # fmt: skip
        markup.goto(to_data, page, "data")
    with gr.Column(visible=False) as body:
        shown = layout.build(
            {
                "empty": empty,
                "why": why,
                "to_data": to_data,
                "body": body,
                "next_words": next_words,
                "to_rating": to_rating,
                "to_training": to_training,
            }
        )
        llm_judge.build(ws, page, shown.which)
    _wire_panel(ws, page, panel, progress)
    _wire_results(ws, page, view, (fold, progress), shown)
    benchmarks.build(ws, page)


NO_DATA = (
    "An evaluation asks questions that were held out of the training and compares the answers with "
    "references. Add questions with answers first; a part of them is held out by itself."
)
NOTHING = (
    "Choose the base model and one you trained, then press Evaluate. Both answer the same "
    "questions, and the difference appears here with how sure it is."
)


def load(ws: Workspace, project: str | None, evaluation_id: str) -> tuple[Evaluation, render.Names]:
    """An evaluation and what its models are called."""
    evaluation = evaluations.get(ws, who(ws), evaluation_id)
    called = names.of_models(ws, project)
    return evaluation, {model: called.get(model, names.GONE) for model in evaluation.models}


def titles(ws: Workspace, project: str | None) -> list[tuple[str, str]]:
    """Label and id of every evaluation, newest first."""
    if not project:
        return []
    runs = {job.id: job.name for job in lifecycle.list_all(ws, who(ws), project, ("evaluate",))}
    return [
        (f"{runs.get(ref.job_id, 'Evaluation')} · {moment(ref.created_at)}", ref.id)
        for ref in evaluations.list_all(ws, who(ws), project)
    ]


def nothing(ws: Workspace, project: str | None) -> tuple[gr.Column, str, gr.Button, gr.Column]:
    """What stands where no evaluation is yet: what to do first."""
    ready = bool(start.askable(ws, project))
    text = (
        markup.empty("No evaluation yet", NOTHING)
        if ready
        else markup.empty("No questions to ask yet", NO_DATA)
    )
    return gr.Column(visible=True), text, gr.Button(visible=not ready), gr.Column(visible=False)


def opened(evaluation: Evaluation, called: render.Names, model: str, index: int) -> str:
    """The row with this number, whole."""
    row = next(row for row in evaluation.rows if row.index == index)
    return answers.opened(row, evaluation, called, model)


def follow_runs(
    ws: Workspace, project: str | None, view: EvaluationView
) -> tuple[EvaluationView, str]:
    """The view and how far running evaluations are, as HTML."""
    jobs = lifecycle.list_all(ws, who(ws), project, ("evaluate",)) if project else []
    seen, going = start.followed(ws, view, jobs)
    return seen, going or start.failure(jobs)


def poll(
    ws: Workspace, draw: Draw, project: str | None, seen: EvaluationView, *chosen: Any
) -> list[Any]:
    """The view, the panel's fold, progress, and the results where evaluations came or went."""
    same = [gr.skip()] * len(EvaluationParts._fields)
    now = (project, lifecycle.revision(ws, who(ws), project) if project else "")
    if now == seen.revision and not seen.tracks:
        return [*REFRESHER.unchanged(), *same]
    known = seen.known
    listed = titles(ws, project)
    ids = tuple(each for _, each in listed)
    seen, progress = follow_runs(ws, project, replace(seen, known=ids, revision=now))
    folded = bool(ids) or not start.askable(ws, project)  # nothing can be asked without data
    over = REFRESHER.changed(seen, {"fold": folded, "progress": progress})
    if ids == known:
        return [*over, *same]
    choice = Choice(*chosen)
    fresh = choice.which not in ids or (known and ids[0] not in known)
    if ids and fresh:
        choice = choice._replace(which=ids[0], price=None)
    return [*over, *draw(project, listed, choice)]


def drawn(
    ws: Workspace,
    project: str | None,
    listed: list[tuple[str, str]],
    choice: Choice,
) -> list[Any]:
    """An update of every component of the results, in their order."""
    if not choice.which or not listed:
        hidden = {"next_words": "", "to_rating": _button(False), "to_training": _button(False)}
        rest = [hidden.get(name, gr.skip()) for name in EvaluationParts._fields[4:]]
        return [*nothing(ws, project), *rest]
    found, called = load(ws, project, choice.which)
    updates = {
        "empty": gr.Column(visible=False),
        "body": gr.Column(visible=True),
        "which": gr.Dropdown(choices=listed, value=choice.which),
        **refresh.whole(ws, found, called, choice),
    }
    return [updates.get(name, gr.skip()) for name in EvaluationParts._fields]


def _button(visible: bool) -> gr.Button:
    return gr.Button(visible=visible)


def _wire_panel(ws: Workspace, page: Page, panel: Start, progress: gr.HTML) -> None:
    looked_at = gr.State(())  # what was last looked for among the training rows

    @shows_errors
    def on_show(project: str | None, models: list[str], dataset: str | None) -> Any:
        offered, sets, chosen = start.choices(ws, project, models or [], dataset)
        kept = chosen is not None and chosen == dataset
        rest = [gr.skip()] * (2 + len(panel.groups)) if kept else suits(chosen)
        return [offered, sets, *rest]

    def suits(chosen: str | None) -> list[Any]:
        return [start.rows_of(ws, chosen), *start.suited(ws, chosen)]

    @shows_errors
    def on_seen(models: list[str], chosen: str | None, rows: float, before: Any) -> Any:
        now = (tuple(models or ()), chosen, rows)
        if now == before:
            return gr.skip(), before
        return start.seen_before(ws, models or [], chosen, rows), now

    @shows_errors
    def on_start(project: str | None, *values: Any) -> str:
        job = start.start(ws, project, *values)
        return markup.notice(f"{job.name} is queued.", "busy")

    chosen = [panel.models, panel.dataset]
    suit = [panel.rows, panel.why, *panel.groups]
    given = [page.project, *chosen]
    asked = ([*chosen, panel.rows, looked_at], [panel.seen, looked_at])
    shown = markup.on_show(page, on_show, given, [*chosen, *suit], RAW)
    picked = panel.dataset.input(shows_errors(suits), panel.dataset, suit, **RAW)
    for event in (shown, picked):
        event.then(on_seen, *asked, **RAW)
    gr.on([panel.models.input, panel.rows.release], on_seen, *asked, **RAW)
    panel.go.click(on_start, [page.project, *panel.fields], progress, **RAW)


def _wire_results(
    ws: Workspace,
    page: Page,
    view: gr.State,
    over: tuple[gr.Accordion, gr.HTML],
    shown: EvaluationParts,
) -> None:
    chosen: Sequence[Any] = [getattr(shown, name) for name in Choice._fields]

    def draw(project: str | None, listed: list[tuple[str, str]], choice: Choice) -> list[Any]:
        return drawn(ws, project, listed, choice)

    @shows_errors
    def on_look(project: str | None, seen: EvaluationView, *values: Any) -> Any:
        return poll(ws, draw, project, seen, *values)

    @shows_errors
    def on_show(
        aim: NavigationTarget, project: str | None, seen: EvaluationView, *values: Any
    ) -> Any:
        wanted = (aim.evaluation, *values[1:]) if aim.evaluation else values
        fresh = replace(seen.without("progress"), known=None, revision=None)
        kept = NavigationTarget() if aim.evaluation else gr.skip()
        return [kept, *poll(ws, draw, project, fresh, *wanted)]

    @shows_errors
    def on_choose(project: str | None, *values: Any) -> Any:
        return draw(project, titles(ws, project), Choice(*values))

    @shows_errors
    def on_which(project: str | None, *values: Any) -> Any:
        return draw(project, titles(ws, project), Choice(*values)._replace(price=None))

    given, out = [page.project, view, *chosen], [view, *over, *shown]
    markup.on_show(page, on_show, [page.target, *given], [page.target, *out], RAW)
    markup.live(page, on_look, given, out, how=RAW)
    shown.which.input(on_which, [page.project, *chosen], list(shown), **RAW)
    for each in (shown.metric, shown.compare):
        each.input(on_choose, [page.project, *chosen], list(shown), **RAW)
    _wire_rows(ws, page, shown, chosen)


def _wire_rows(ws: Workspace, page: Page, shown: EvaluationParts, chosen: Sequence[Any]) -> None:
    @shows_errors
    def on_order(project: str | None, *values: Any) -> Any:
        choice = Choice(*values)
        found, called = load(ws, project, choice.which or "")
        slicings = slices.slicings(ws, who(ws), found)
        best = refresh.settled(found, choice.metric, choice.compare)
        return refresh.table(found, called, *best, choice, slicings)

    @shows_errors
    def on_price(project: str | None, which: str, price: float | None) -> str:
        found, called = load(ws, project, which)
        return speed.table(found, called, price or 0.0)

    @shows_errors
    def on_row(project: str | None, which: str, model: str, event: gr.EventData) -> str:
        found, called = load(ws, project, which)
        _, model = refresh.settled(found, None, model)
        return opened(found, called, model, sent.row_number(event))

    again = [page.project, *chosen]
    gr.on([shown.order.input, shown.part.input, shown.language.input], on_order, again,
          shown.rows, **RAW)  # fmt: skip
    shown.words.change(on_order, again, shown.rows, trigger_mode="always_last", **RAW)
    priced = [page.project, shown.which, shown.price]
    shown.price.input(on_price, priced, shown.speed, trigger_mode="always_last", **RAW)
    picked = [page.project, shown.which, shown.compare]
    shown.rows.select(on_row, picked, shown.row, **RAW)
