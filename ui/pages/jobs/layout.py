"""The components of the Jobs page."""

from typing import NamedTuple

import gradio as gr

from engine.services.jobs import compare, listing
from ui.components import choice_cards, markup
from ui.components.live_plot import LivePlot
from ui.components.page import Page
from ui.pages.jobs import compare as side_by_side

MARGINS = (
    '<div class="tl-part"><h3>Reward margin and accuracy</h3><p>Above: how much more likely the '
    "preferred answers became than the others. Below: the share of pairs ranked as people did. "
    "Bold lines are held out.</p></div>"
)
NOTHING = "Trainings, evaluations and other jobs appear here with their progress."
DELETE = "Delete this job, its files and the model it made? This cannot be undone."


Components = dict[str, gr.blocks.Block]  # by the name of the field that they become


class JobsParts(NamedTuple):
    """The components that a look may change, in the order of the updates."""

    empty: gr.Column
    body: gr.Row
    tag_filter: gr.Dropdown
    cards: gr.HTML
    compare_box: gr.Accordion
    compared: gr.Dropdown
    overlay_box: gr.Column
    overlay: LivePlot
    compare_table: gr.HTML
    top: gr.HTML
    next_step: gr.Button
    again: gr.Button
    resume: gr.Button
    keep: gr.Button
    stop: gr.Button
    sure: gr.Row
    stop_words: gr.HTML
    report: gr.HTML
    study_box: gr.Column
    study: LivePlot
    losses_box: gr.Column
    losses: LivePlot
    margins_box: gr.Column
    margins: LivePlot
    samples: gr.HTML
    rates_box: gr.Accordion
    rates: LivePlot
    name: gr.Textbox
    tags: gr.Textbox
    note: gr.Textbox
    delete: gr.Button
    sure_delete: gr.Row
    leave_box: gr.Accordion
    leave: gr.HTML
    settings: gr.HTML
    log: gr.HTML


class JobsInputs(NamedTuple):
    """The components that only a person changes."""

    text: gr.Textbox
    stop_yes: gr.Button
    stop_no: gr.Button
    save: gr.Button
    delete_yes: gr.Button
    delete_no: gr.Button


def build(page: Page) -> tuple[JobsParts, JobsInputs]:
    """The list on one side, the chosen job on the other."""
    made: Components = {}
    with gr.Column(visible=False) as made["empty"]:
        gr.HTML(markup.empty("No jobs yet", NOTHING))
        markup.goto(
            gr.Button("Train a model", variant="primary", elem_id="runs-first"), page, "training"
        )
    with gr.Row(visible=False, elem_classes="tl-duo") as made["body"]:
        with gr.Column(scale=4, min_width=290, elem_classes="tl-duo-list"):
            _list(made)
        with gr.Column(scale=9, min_width=310):
            _compare(made)
            made["top"] = gr.HTML("", elem_id="runs-top")
            _actions(made)
            made["report"] = gr.HTML("", elem_id="runs-report")
            _charts(made)
            _edit(made)
            with gr.Accordion(
                "Use this run elsewhere", open=False, visible=False, elem_id="runs-leave"
            ) as made["leave_box"]:
                made["leave"] = gr.HTML("")
            with gr.Accordion("Settings", open=False, elem_id="runs-settings"):
                made["settings"] = gr.HTML("")
            with gr.Accordion("Log", open=False, elem_id="runs-log"):
                made["log"] = gr.HTML("")
    parts = JobsParts(*(made[name] for name in JobsParts._fields))
    return parts, JobsInputs(*(made[name] for name in JobsInputs._fields))


def _list(made: Components) -> None:
    made["text"] = gr.Textbox(
        show_label=False, placeholder="Search names, notes, data", max_length=200,
        elem_id="runs-search", container=False,
    )  # fmt: skip
    made["tag_filter"] = gr.Dropdown(
        [], value=[], multiselect=True, label="Filter by tag", elem_id="runs-tag-filter",
        visible=False,
    )  # fmt: skip
    made["cards"] = choice_cards.component("runs-list")


def _compare(made: Components) -> None:
    with gr.Accordion("Compare jobs", open=False, elem_id="runs-compare") as made["compare_box"]:
        made["compared"] = gr.Dropdown(
            [], value=[], multiselect=True, max_choices=compare.MOST, label="Trainings",
            elem_id="runs-compared",
        )  # fmt: skip
        with gr.Column(visible=False) as made["overlay_box"]:
            made["overlay"] = LivePlot(height=360, elem_id="runs-overlay")
        made["compare_table"] = gr.HTML(side_by_side.ASK)


def _actions(made: Components) -> None:
    with gr.Row(elem_classes="tl-actions"):
        made["next_step"] = gr.Button("Evaluate it", variant="primary", elem_id="runs-next")
        made["resume"] = gr.Button("Resume from the last checkpoint", elem_id="runs-resume")
        made["again"] = gr.Button("Run again with these settings", elem_id="runs-again")
        made["keep"] = gr.Button("Stop and keep the best checkpoint", elem_id="runs-keep")
        made["stop"] = gr.Button("Stop", elem_id="runs-stop")
    with gr.Row(visible=False, elem_classes="tl-sure") as made["sure"]:
        made["stop_words"] = gr.HTML("")
        made["stop_yes"] = gr.Button("Stop the job", variant="stop", elem_id="runs-stop-yes")
        made["stop_no"] = gr.Button("Let it continue", elem_id="runs-stop-no")


def _charts(made: Components) -> None:
    with gr.Column(visible=False) as made["study_box"]:
        made["study"] = LivePlot(height=360, elem_id="runs-study")
    with gr.Column(visible=False) as made["losses_box"]:
        made["losses"] = LivePlot(height=340, elem_id="runs-losses")
    with gr.Column(visible=False) as made["margins_box"]:
        gr.HTML(MARGINS)
        made["margins"] = LivePlot(height=360, elem_id="runs-margins")
    made["samples"] = gr.HTML("", elem_id="runs-samples")
    title = "Learning rate and gradient norm"
    with gr.Accordion(title, open=False, visible=False, elem_id="runs-rates") as made["rates_box"]:
        made["rates"] = LivePlot(height=320)


def _edit(made: Components) -> None:
    with gr.Accordion("Name, tags and note", open=False, elem_id="runs-edit"):
        with gr.Row():
            made["name"] = gr.Textbox(
                label="Name", max_length=listing.LONGEST_NAME, elem_id="runs-name"
            )
            made["tags"] = gr.Textbox(
                label="Tags", info="Separated by commas", max_length=400, elem_id="runs-tags"
            )
        made["note"] = gr.Textbox(
            label="Note", lines=3, max_length=listing.LONGEST_NOTE, elem_id="runs-note"
        )
        with gr.Row(elem_classes="tl-actions"):
            made["save"] = gr.Button("Save", variant="primary", elem_id="runs-save")
            made["delete"] = gr.Button("Delete this job", elem_id="runs-delete")
        with gr.Row(visible=False, elem_classes="tl-sure") as made["sure_delete"]:
            gr.HTML(markup.notice(DELETE, "warn"))
            made["delete_yes"] = gr.Button("Delete it", variant="stop", elem_id="runs-delete-yes")
            made["delete_no"] = gr.Button("Keep it", elem_id="runs-delete-no")
