"""Evaluate: ask held-out questions, see which model is better and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import gradio as gr

from engine.core.actor import LOCAL
from engine.core.evaluation import Evaluation
from engine.services import evaluations, jobs
from engine.workspace import Workspace
from ui import kit
from ui.events import shows_errors
from ui.page import Page
from ui.views import (
    answers,
    charts_evaluate,
    evaluate_page,
    evaluate_start,
    evaluation,
    follow,
    names,
)
from ui.views.evaluate_page import Shown
from ui.views.evaluate_start import Start
from ui.views.names import moment

Draw = Callable[..., list[Any]]
LINES = 200  # of the table of answers; the files hold every row


@dataclass(frozen=True)
class View:
    """What one browser tab has drawn: the evaluations it knows of, the runs it follows."""

    known: tuple[str, ...] | None = None
    progress: str = ""
    folded: bool = False  # the panel: when there is something to read below it
    tracks: dict[str, follow.Track] = field(default_factory=dict)


class Result(NamedTuple):
    """One evaluation as values for the components, in their order."""

    sentences: str
    intervals: Any
    table: str
    compare: Any
    gains_box: Any
    gains: Any
    speed: str
    signatures: str
    explained: str


def build(ws: Workspace, page: Page) -> None:
    """The tab: the panel that starts an evaluation, then what the chosen one found."""
    gr.HTML(kit.head("Evaluate", "Ask questions that no training has seen, and compare answers."))
    view = gr.State(View())
    with gr.Accordion("New evaluation", open=True, elem_id="evaluate-new") as fold:
        panel = evaluate_start.build()
    progress = gr.HTML("", elem_id="evaluate-progress")
    with gr.Column(visible=False) as empty:
        why = gr.HTML("", elem_id="evaluate-empty")
        to_data = gr.Button("Add data", variant="primary", visible=False)
        kit.goto(to_data, page, "data")
    with gr.Column(visible=False) as body:
        shown = evaluate_page.build((empty, why, to_data), body)
    _wire_panel(ws, page, panel, progress)
    _wire_results(ws, page, view, (fold, progress), shown)


NO_DATA = (
    "An evaluation asks questions that were held out of the training and compares the answers with "
    "references. Add questions with answers first; a part of them is held out by itself."
)
NOTHING = (
    "Choose the base model and one you trained, then press Evaluate. Both answer the same "
    "questions, and the difference appears here with how sure it is."
)


def load(
    ws: Workspace, project: str | None, evaluation_id: str
) -> tuple[Evaluation, evaluation.Names]:
    """An evaluation and what its models are called."""
    found = evaluations.get(ws, LOCAL, evaluation_id)
    called = names.of_models(ws, project)
    return found, {model: called.get(model, names.GONE) for model in found.models}


def titles(ws: Workspace, project: str | None) -> list[tuple[str, str]]:
    """Label and id of every evaluation, newest first."""
    if not project:
        return []
    runs = {job.id: job.name for job in jobs.list_all(ws, LOCAL, project, ("evaluate",))}
    return [
        (f"{runs.get(ref.job_id, 'Evaluation')} · {moment(ref.created_at)}", ref.id)
        for ref in evaluations.list_all(ws, LOCAL, project)
    ]


def nothing(ws: Workspace, project: str | None) -> tuple[gr.Column, str, gr.Button, gr.Column]:
    """What stands where no evaluation is yet: what to do first."""
    ready = bool(evaluate_start.askable(ws, project))
    text = (
        kit.empty("No evaluation yet", NOTHING)
        if ready
        else kit.empty("No questions to ask yet", NO_DATA)
    )
    return gr.Column(visible=True), text, gr.Button(visible=not ready), gr.Column(visible=False)


def result(found: Evaluation, called: evaluation.Names, metric: str, model: str) -> Result:
    """All that is shown above the rows, for a headline metric and a model to compare."""
    tuned = [(called[each], each) for each in found.models[1:]]
    gains = charts_evaluate.gain_histogram(found, model, metric) if tuned else gr.skip()
    return Result(
        evaluation.sentences(found, called, metric),
        charts_evaluate.intervals(found, called),
        evaluation.table(found, called),
        gr.Dropdown(choices=tuned, value=model if tuned else None, visible=len(tuned) > 1),
        gr.Column(visible=bool(tuned)),
        gains,
        evaluation.speed(found, called),
        evaluation.signatures(found),
        evaluation.explained(found.metrics),
    )


def settled(found: Evaluation, metric: str | None, model: str | None) -> tuple[str, str]:
    """The metric and model asked for where this evaluation has them, else its first and last."""
    has = model if model in found.models[1:] else found.models[-1]
    return metric if metric in found.metrics else found.metrics[0], has or found.models[-1]


def table(
    found: Evaluation,
    called: evaluation.Names,
    metric: str,
    model: str,
    order: answers.Order,
    words: str | None,
) -> Any:
    """The first rows of the table of answers in the order asked for, as an update."""
    rows = answers.ordered(found, model, metric, order, words or "")
    shown = answers.frame(rows[:LINES], found, called, model, metric)
    return gr.Dataframe(shown, column_widths=answers.widths(shown))


def files(
    found: Evaluation, called: evaluation.Names, evaluation_id: str, folder: Path
) -> tuple[str, str]:
    """Paths of a CSV and a JSONL file with every row, written into `folder`."""
    place = folder / evaluation_id
    place.mkdir(exist_ok=True)
    as_csv, as_jsonl = place / "answers.csv", place / "answers.jsonl"
    answers.write_csv(found, called, as_csv)
    answers.write_jsonl(found, called, as_jsonl)
    return str(as_csv), str(as_jsonl)


def opened(found: Evaluation, called: evaluation.Names, model: str, index: int) -> str:
    """The row with this number, whole."""
    row = next(row for row in found.rows if row.index == index)
    return answers.opened(row, found, called, model)


def follow_runs(ws: Workspace, project: str | None, view: View) -> tuple[View, str]:
    """The view and how far running evaluations are, as HTML."""
    found = jobs.list_all(ws, LOCAL, project, ("evaluate",)) if project else []
    going = [job for job in found if not job.over]
    tracks = {
        job.id: follow.look(ws, job, view.tracks.get(job.id, follow.Track())) for job in going
    }
    alive = not going or jobs.worker_alive(ws, LOCAL)
    html = evaluate_start.progress(going, tracks, alive) or evaluate_start.failure(found)
    return replace(view, tracks=tracks), html


def _wire_panel(ws: Workspace, page: Page, panel: Start, progress: gr.HTML) -> None:
    @shows_errors
    def on_show(project: str | None, models: list[str], dataset: str | None) -> Any:
        return evaluate_start.choices(ws, project, models or [], dataset)

    @shows_errors
    def on_start(project: str | None, *values: Any) -> str:
        job = evaluate_start.start(ws, project, *values)
        return kit.notice(f"{job.name} is queued.", "busy")

    chosen = [panel.models, panel.dataset]
    kit.on_show(page, on_show, [page.project, *chosen], [*chosen, panel.rows])
    rows = shows_errors(lambda dataset: evaluate_start.rows_of(ws, dataset))
    panel.dataset.input(rows, panel.dataset, panel.rows, **kit.QUIET)
    panel.go.click(on_start, [page.project, *panel[:6]], progress, **kit.QUIET)


def looked(ws: Workspace, draw: Draw, project: str | None, seen: View, *chosen: Any) -> list[Any]:
    """The view, the panel's fold, progress, and the results where evaluations came or went."""
    seen, html = follow_runs(ws, project, seen)
    progress = gr.skip() if html == seen.progress else html
    listed = titles(ws, project)
    ids = tuple(each for _, each in listed)
    fold = gr.skip() if seen.folded is bool(ids) else gr.Accordion(open=not ids)
    seen = replace(seen, progress=html, folded=bool(ids))
    if ids == seen.known:
        return [seen, fold, progress, *([gr.skip()] * len(Shown._fields))]
    which, *rest = chosen
    fresh = which not in ids or (seen.known and ids[0] not in seen.known)
    which = ids[0] if ids and fresh else which
    seen = replace(seen, known=ids)
    return [seen, fold, progress, *draw(project, listed, which, *rest)]


def _wire_results(
    ws: Workspace, page: Page, view: gr.State, over: tuple[gr.Accordion, gr.HTML], shown: Shown
) -> None:
    folder = TemporaryDirectory(prefix="tuneloop-answers-")
    draw = _drawer(ws, folder)
    chosen: Sequence[Any] = (shown.which, shown.metric, shown.compare, shown.order, shown.words)
    drawn = list(shown)

    @shows_errors
    def on_look(project: str | None, seen: View, *values: Any) -> Any:
        return looked(ws, draw, project, seen, *values)

    @shows_errors
    def on_show(project: str | None, seen: View, *values: Any) -> Any:
        return looked(ws, draw, project, replace(seen, known=None, progress="…"), *values)

    @shows_errors
    def on_choose(project: str | None, *values: Any) -> Any:
        return draw(project, titles(ws, project), *values)

    given = [page.project, view, *chosen]
    kit.on_show(page, on_show, given, [view, *over, *drawn])
    kit.live(page, on_look, given, [view, *over, *drawn], every=2.0)
    for each in (shown.which, shown.metric, shown.compare):
        each.input(on_choose, [page.project, *chosen], drawn, **kit.QUIET)
    _wire_rows(ws, page, shown, chosen)


def _wire_rows(ws: Workspace, page: Page, shown: Shown, chosen: Sequence[Any]) -> None:
    @shows_errors
    def on_order(project: str | None, which: str, metric: str, model: str, *how: Any) -> Any:
        found, called = load(ws, project, which)
        return table(found, called, *settled(found, metric, model), *how)

    @shows_errors
    def on_row(project: str | None, which: str, model: str, event: gr.SelectData) -> str:
        found, called = load(ws, project, which)
        _, model = settled(found, None, model)
        return opened(found, called, model, int(event.row_value[0]))

    again = [page.project, *chosen]
    shown.order.input(on_order, again, shown.rows, **kit.QUIET)
    shown.words.change(on_order, again, shown.rows, trigger_mode="always_last", **kit.QUIET)
    picked = [page.project, shown.which, shown.compare]
    shown.rows.select(on_row, picked, shown.row, **kit.QUIET)


def _drawer(ws: Workspace, folder: TemporaryDirectory[str]) -> Draw:
    def draw(
        project: str | None,
        listed: list[tuple[str, str]],
        which: str | None,
        metric: str | None,
        model: str | None,
        order: answers.Order,
        words: str | None,
    ) -> list[Any]:
        if not which or not listed:
            return [*nothing(ws, project), *([gr.skip()] * (len(Shown._fields) - 4))]
        found, called = load(ws, project, which)
        metric, model = settled(found, metric, model)
        metrics = [(evaluation.called(each), each) for each in found.metrics]
        return [
            gr.Column(visible=False),
            gr.skip(),
            gr.skip(),
            gr.Column(visible=True),
            gr.Dropdown(choices=listed, value=which),
            gr.Dropdown(choices=metrics, value=metric),
            *result(found, called, metric, model),
            *files(found, called, which, Path(folder.name)),
            gr.Radio(visible=len(found.models) > 1),
            gr.skip(),
            table(found, called, metric, model, order, words),
            "",
        ]

    return draw
