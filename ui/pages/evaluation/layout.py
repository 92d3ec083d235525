"""The lower half of the Evaluation page: where each part of a result stands, one view at a time."""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from ui.components.live_plot import LivePlot
from ui.pages.evaluation import answers


class EvaluationParts(NamedTuple):
    """The components that a look at an evaluation may change."""

    empty: gr.Column
    why: gr.HTML
    to_data: gr.Button
    body: gr.Column
    next_words: gr.HTML
    to_rating: gr.Button
    to_training: gr.Button
    which: gr.Dropdown
    metric: gr.Dropdown
    sentences: gr.HTML
    checks: gr.HTML
    intervals: LivePlot
    table: gr.HTML
    over: gr.HTML
    surprise: gr.HTML
    explained: gr.HTML
    board: gr.HTML
    compare: gr.Dropdown
    gains_box: gr.Column
    gains: LivePlot
    lengths: LivePlot
    confusion_box: gr.Column
    confusion: LivePlot
    parts: gr.HTML
    order: gr.Radio
    part: gr.Dropdown
    language: gr.Dropdown
    words: gr.Textbox
    rows: gr.Dataframe
    row: gr.HTML
    price: gr.Number
    speed: gr.HTML
    files: gr.HTML
    signatures: gr.HTML


EVERY = ""  # the value of a filter that keeps all rows


def build(around: dict[str, gr.components.Component]) -> EvaluationParts:
    """The components, in the layout that is open; `around` are those that stand elsewhere."""
    found = around | _top()
    with gr.Tabs(elem_id="evaluate-views", elem_classes="tl-views"):
        for title, part in VIEWS.items():
            with gr.Tab(title):
                found |= part()
    return EvaluationParts(**found)


def _top() -> dict[str, gr.components.Component]:
    with gr.Row():
        which = gr.Dropdown(
            [], value=None, label="Evaluation", scale=3, min_width=280, elem_id="evaluate-which"
        )
        metric = gr.Dropdown(
            [], value=None, label="Metric", scale=1, min_width=160, elem_id="evaluate-metric"
        )
    sentences = gr.HTML("", elem_id="evaluate-sentences")
    checks = gr.HTML("", elem_id="evaluate-checks")
    return {"which": which, "metric": metric, "sentences": sentences, "checks": checks}


def _scores() -> dict[str, gr.components.Component]:
    gr.HTML(
        _hint("Points are scores, lines their 95 % intervals; hollow points are trivial baselines.")
    )
    intervals = LivePlot(height=420, elem_id="evaluate-intervals")
    table = gr.HTML("", elem_id="evaluate-table")
    over = gr.HTML("", elem_id="evaluate-over")
    surprise = gr.HTML("", elem_id="evaluate-surprise")
    with gr.Accordion("What these words mean", open=False):
        explained = gr.HTML("")
    gr.HTML(_part("Leaderboard", "Every model that was asked questions of this dataset."))
    board = gr.HTML("", elem_id="evaluate-board")
    return {
        "intervals": intervals,
        "table": table,
        "over": over,
        "surprise": surprise,
        "explained": explained,
        "board": board,
    }


def _where() -> dict[str, gr.blocks.Block]:
    gr.HTML(_hint("Where it gained and where it lost: rows one by one, and rows of a kind."))
    compare = gr.Dropdown([], value=None, label="Compare with the baseline", visible=False,
                          elem_id="evaluate-compare")  # fmt: skip
    with gr.Row(elem_classes="tl-pictures"):
        with gr.Column(min_width=320) as gains_box:
            gains = LivePlot(height=280, elem_id="evaluate-gains")
        with gr.Column(min_width=320):
            lengths = LivePlot(height=280, elem_id="evaluate-lengths")
    with gr.Column(visible=False) as confusion_box:
        gr.HTML(_part("Confusion matrix", "Rows are the correct labels, columns the predicted "
                      "ones; cells off the diagonal are mistakes."))  # fmt: skip
        confusion = LivePlot(height=460, elem_id="evaluate-confusion")
    parts = gr.HTML("", elem_id="evaluate-parts")
    return {
        "compare": compare,
        "gains_box": gains_box,
        "gains": gains,
        "lengths": lengths,
        "confusion_box": confusion_box,
        "confusion": confusion,
        "parts": parts,
    }


def _rows() -> dict[str, gr.components.Component]:
    gr.HTML(_hint("The answers behind the scores. Choose a row to read it whole."))
    order = gr.Radio(answers.ORDERS, value="gains", show_label=False, container=False,
                     elem_id="evaluate-order")  # fmt: skip
    with gr.Row(elem_classes="tl-filter"):
        part = gr.Dropdown([("Any length", EVERY)], value=EVERY, show_label=False, container=False,
                           min_width=200, elem_id="evaluate-part")  # fmt: skip
        language = gr.Dropdown([("Any language", EVERY)], value=EVERY, show_label=False,
                               container=False, visible=False, min_width=140,
                               elem_id="evaluate-language")  # fmt: skip
        words = gr.Textbox(show_label=False, container=False, placeholder="Only rows with …",
                           min_width=200, elem_id="evaluate-words")  # fmt: skip
    rows = gr.Dataframe(interactive=False, wrap=False, max_height=420, show_label=False,
                        max_chars=90, elem_id="evaluate-rows-table")  # fmt: skip
    row = gr.HTML("", elem_id="evaluate-row")
    return {
        "order": order,
        "part": part,
        "language": language,
        "words": words,
        "rows": rows,
        "row": row,
    }


def _speed() -> dict[str, gr.components.Component]:
    gr.HTML(_hint("Measured while this evaluation ran."))
    price = gr.Number(0, minimum=0, maximum=1000, label="Price of this machine, dollars an hour",
                      elem_id="evaluate-cost")  # fmt: skip
    speed = gr.HTML("", elem_id="evaluate-speed")
    return {"price": price, "speed": speed}


def _files() -> dict[str, gr.components.Component]:
    gr.HTML(_hint("All rows as a table, or the whole as one page to send."))
    files = gr.HTML("", elem_id="evaluate-files")
    with gr.Accordion("Exactly how it was scored", open=False):
        signatures = gr.HTML("")
    return {"files": files, "signatures": signatures}


def _part(title: str, text: str) -> str:
    return f'<div class="tl-part"><h3>{title}</h3><p>{text}</p></div>'


def _hint(text: str) -> str:
    return f'<p class="tl-hint">{text}</p>'


VIEWS: dict[str, Callable[[], dict[str, gr.components.Component]]] = {
    "Scores": _scores,
    "Gains": _where,
    "Answers": _rows,
    "Speed": _speed,
    "Files": _files,
}
