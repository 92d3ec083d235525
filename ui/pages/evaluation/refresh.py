"""What the Evaluation page shows of one evaluation, by the name of its component."""

from typing import Any, NamedTuple, TypedDict

import gradio as gr

from engine.core.evaluation import Evaluation
from engine.core.evaluation_sentences import baseline_title
from engine.services.evaluation import answers as evaluated
from engine.services.evaluation import leaderboard, slices
from engine.services.evaluation.metrics import title as metric_title
from engine.services.evaluation.recommendation import AfterEvaluation, next_step
from engine.services.evaluation.slices import By, Slicing
from engine.workspace import Workspace
from ui.pages.evaluation import answers, checks, downloads, error_charts, render, speed
from ui.pages.evaluation import charts as evaluation_charts
from ui.pages.evaluation import leaderboard as evaluation_leaderboard
from ui.pages.evaluation.layout import EVERY
from ui.pages.evaluation.render import Names
from ui.web.session import who

LINES = 200  # of the table of answers; the files hold every row


class Choice(NamedTuple):
    """What a person has chosen on the page; any of it may be of another evaluation by now."""

    which: str | None = None
    metric: str | None = None
    compare: str | None = None
    order: evaluated.Order = "gains"
    part: str | None = EVERY
    language: str | None = EVERY
    words: str | None = ""
    price: float | None = None


class EvaluationUpdates(TypedDict, total=False):
    """What some of the components show from now on, by the name of their field.

    Texts are HTML, pictures figures of Plotly or `gr.skip()`.
    """

    next_words: str
    to_rating: gr.Button
    to_training: gr.Button
    metric: gr.Dropdown
    sentences: str
    checks: str
    intervals: Any
    table: str
    over: str
    surprise: str
    explained: str
    board: str
    compare: gr.Dropdown
    gains_box: gr.Column
    gains: Any
    lengths: Any
    confusion_box: gr.Column
    confusion: Any
    parts: str
    order: gr.Radio
    part: gr.Dropdown
    language: gr.Dropdown
    rows: gr.Dataframe
    row: str
    price: float
    speed: str
    files: str
    signatures: str


def settled(evaluation: Evaluation, metric: str | None, model: str | None) -> tuple[str, str]:
    """The metric and model asked for where this evaluation has them, else its first and last."""
    has = model if model in evaluation.models[1:] else evaluation.models[-1]
    return metric if metric in evaluation.metrics else evaluation.metrics[
        0
    ], has or evaluation.models[-1]


def scores(
    ws: Workspace, evaluation: Evaluation, called: Names, metric: str, model: str
) -> EvaluationUpdates:
    """All about the scores, for a headline metric and a model to compare."""
    tuned = [(called[each], each) for each in evaluation.models[1:]]
    lines = leaderboard.leaderboard(ws, who(ws), evaluation.dataset_id, metric)
    step = next_step(evaluation, metric)
    here = {**called, **{plain: baseline_title(plain) for plain in evaluation.baselines}}
    return {
        "next_words": render.next_words(step, called[evaluation.models[-1]]),
        "to_rating": gr.Button(visible=step is AfterEvaluation.RATE),
        "to_training": gr.Button(visible=step is AfterEvaluation.TRAIN),
        "sentences": render.sentences(evaluation, called, metric),
        "checks": checks.notices(evaluation, called),
        "intervals": evaluation_charts.intervals(evaluation, called),
        "table": render.table(evaluation, called),
        "over": render.over_plain(evaluation, called, metric),
        "surprise": speed.surprise(evaluation, called),
        "explained": render.explained(evaluation.metrics),
        "board": evaluation_leaderboard.table(lines, here, metric, evaluation.models),
        "compare": gr.Dropdown(
            choices=tuned, value=model if tuned else None, visible=len(tuned) > 1
        ),
        "signatures": render.signatures(evaluation),
    }


def pictures(evaluation: Evaluation, called: Names, metric: str, model: str) -> EvaluationUpdates:
    """Where the model gained and lost, by row, by length and by label."""
    alone = len(evaluation.models) == 1
    counts = error_charts.labels(evaluation, model)
    gains = gr.skip() if alone else evaluation_charts.gain_histogram(evaluation, model, metric)
    return {
        "gains_box": gr.Column(visible=not alone),
        "gains": gains,
        "lengths": error_charts.by_length(evaluation, called, metric),
        "confusion_box": gr.Column(visible=counts is not None),
        "confusion": error_charts.confusion(counts) if counts else gr.skip(),
    }


def rows(
    evaluation: Evaluation,
    called: Names,
    metric: str,
    model: str,
    choice: Choice,
    slicings: dict[By, Slicing],
) -> EvaluationUpdates:
    """The table of answers and its filters."""
    lengths, languages = slicings.get("question", Slicing()), slicings.get("language", Slicing())
    part = choice.part if choice.part in lengths.order else EVERY
    language = choice.language if choice.language in languages.order else EVERY
    return {
        "order": gr.Radio(visible=len(evaluation.models) > 1),
        "part": filter_of("Any length", lengths, part),
        "language": filter_of("Any language", languages, language),
        "rows": table(evaluation, called, metric, model, choice, slicings),
        "row": "",
    }


def filter_of(every: str, sliced: Slicing, chosen: str | None) -> gr.Dropdown:
    """A dropdown with the slices of the rows; hidden where there is nothing to choose."""
    choices = [(every, EVERY), *((each, each) for each in sliced.order)]
    return gr.Dropdown(choices=choices, value=chosen or EVERY, visible=len(sliced.order) > 1)


def table(
    evaluation: Evaluation,
    called: Names,
    metric: str,
    model: str,
    choice: Choice,
    slicings: dict[By, Slicing],
) -> Any:
    """The first rows of the table of answers in the order asked for, as an update."""
    inside = [True] * len(evaluation.rows)
    chosen: dict[By, str | None] = {"question": choice.part, "language": choice.language}
    for by, wanted in chosen.items():
        slice_of_row = slicings.get(by, Slicing()).slice_of_row
        if wanted and wanted in slice_of_row:
            pairs = zip(inside, slice_of_row, strict=True)
            inside = [kept and each == wanted for kept, each in pairs]
    kept = evaluated.ordered(evaluation, model, metric, choice.order, choice.words or "", inside)
    shown = answers.frame(kept[:LINES], evaluation, called, model, metric)
    return gr.Dataframe(shown, column_widths=answers.widths(shown, len(evaluation.models)))


def whole(
    ws: Workspace,
    evaluation: Evaluation,
    called: Names,
    choice: Choice,
) -> EvaluationUpdates:
    """Every component of the page for the evaluation that is chosen."""
    metric, model = settled(evaluation, choice.metric, choice.compare)
    slicings = slices.slicings(ws, who(ws), evaluation)
    price = speed.usual_price(evaluation) if choice.price is None else choice.price
    named = [(metric_title(each), each) for each in evaluation.metrics]
    return {
        "metric": gr.Dropdown(choices=named, value=metric),
        **scores(ws, evaluation, called, metric, model),
        **pictures(evaluation, called, metric, model),
        "parts": evaluation_leaderboard.by_slice(evaluation, called, metric, slicings),
        **rows(evaluation, called, metric, model, choice, slicings),
        "price": price,
        "speed": speed.table(evaluation, called, price),
        "files": downloads.links(choice.which, called) if choice.which else "",
    }
