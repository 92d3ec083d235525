"""The lower half of the Evaluate tab: where each part of a result stands."""

from typing import NamedTuple

import gradio as gr

from ui.live import LivePlot
from ui.views import answers


class Shown(NamedTuple):
    """The components, in the order of their updates."""

    empty: gr.Column
    why: gr.HTML
    to_data: gr.Button
    body: gr.Column
    which: gr.Dropdown
    metric: gr.Dropdown
    sentences: gr.HTML
    intervals: LivePlot
    table: gr.HTML
    compare: gr.Dropdown
    gains_box: gr.Column
    gains: LivePlot
    speed: gr.HTML
    signatures: gr.HTML
    explained: gr.HTML
    csv: gr.DownloadButton
    jsonl: gr.DownloadButton
    order: gr.Radio
    words: gr.Textbox
    rows: gr.Dataframe
    row: gr.HTML


def build(empty: tuple[gr.Column, gr.HTML, gr.Button], body: gr.Column) -> Shown:
    """The components, in the layout that is open."""
    with gr.Row():
        which = gr.Dropdown(
            [], value=None, label="Evaluation", scale=3, min_width=280, elem_id="evaluate-which"
        )
        metric = gr.Dropdown(
            [], value=None, label="Judge by", scale=1, min_width=160, elem_id="evaluate-metric"
        )
    sentences = gr.HTML("", elem_id="evaluate-sentences")
    gr.HTML(_part("Scores", "A point is a score, its line the 95 % interval."))
    intervals = LivePlot(height=380, elem_id="evaluate-intervals")
    table = gr.HTML("", elem_id="evaluate-table")
    with gr.Accordion("What these words mean", open=False):
        explained = gr.HTML("")
    gr.HTML(_part("Row by row", "How much each row gained or lost, and the answers behind it."))
    compare = gr.Dropdown([], value=None, label="Compare with the baseline", visible=False)
    with gr.Column() as gains_box:
        gains = LivePlot(height=260, elem_id="evaluate-gains")
    with gr.Row(elem_classes="tl-filter"):
        order = gr.Radio(answers.ORDERS, value="gains", show_label=False, container=False,
                         elem_id="evaluate-order")  # fmt: skip
        words = gr.Textbox(show_label=False, container=False, placeholder="Only rows with …",
                           elem_id="evaluate-words")  # fmt: skip
    rows = gr.Dataframe(interactive=False, wrap=False, max_height=420, show_label=False,
                        max_chars=90, elem_id="evaluate-rows-table")  # fmt: skip
    row = gr.HTML("", elem_id="evaluate-row")
    with gr.Row(elem_classes="tl-actions"):
        csv = gr.DownloadButton("Download as CSV", size="sm", elem_id="evaluate-csv")
        jsonl = gr.DownloadButton("Download as JSONL", size="sm", elem_id="evaluate-jsonl")
    gr.HTML(_part("Speed and cost", "Measured while this evaluation ran."))
    speed = gr.HTML("", elem_id="evaluate-speed")
    with gr.Accordion("Exactly how it was scored", open=False):
        signatures = gr.HTML("")
    return Shown(*empty, body, which, metric, sentences, intervals, table, compare, gains_box,
                 gains, speed, signatures, explained, csv, jsonl, order, words, rows,
                 row)  # fmt: skip


def _part(title: str, text: str) -> str:
    return f'<div class="tl-part"><h3>{title}</h3><p>{text}</p></div>'
