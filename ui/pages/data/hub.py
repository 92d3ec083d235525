"""A data set of the Hugging Face Hub, by name."""

from typing import NamedTuple

import gradio as gr

from engine.core.column_mapping import ColumnMapping, mapping_of
from engine.core.dataset import HELD_OUT_SHARE, Dataset
from engine.core.errors import UserError
from engine.services.data import hub
from engine.workspace import Workspace
from ui.pages.data.preview import open_project
from ui.web.session import who

NOTE = (
    "Only its files are fetched; no code of it is run. "
    f"{100 * HELD_OUT_SHARE:.0f} % of the rows are held out."
)


class Box(NamedTuple):
    """The components."""

    name: gr.Textbox
    file: gr.Textbox
    columns: gr.Textbox
    note: gr.HTML
    go: gr.Button


def build() -> Box:
    """Folded: a name, and for harder cases a file of it and its columns."""
    with gr.Accordion("Or fetch a dataset from the Hub", open=False, elem_id="data-hub"):
        name = gr.Textbox(
            label="Dataset name", placeholder="owner/name", max_length=200,
            elem_id="data-hub-name",
        )  # fmt: skip
        file = gr.Textbox(label="File (optional)", max_length=300, elem_id="data-hub-file")
        columns = gr.Textbox(
            label="Column mapping (optional)",
            placeholder="prompt = question, answer = reply", max_length=600,
            elem_id="data-hub-columns",
        )  # fmt: skip
        note = gr.HTML(f'<p class="tl-hint">{NOTE}</p>')
        go = gr.Button("Fetch and add", elem_id="data-hub-go")
    return Box(name, file, columns, note, go)


def fetch(ws: Workspace, project: str | None, name: str, file: str, columns: str) -> Dataset:
    """The data set as a version of the project."""
    return hub.fetch(
        ws, who(ws), open_project(project), name.strip(), file=file.strip() or None,
        mapping=parsed_mapping(columns),
    )  # fmt: skip


def parsed_mapping(columns: str) -> ColumnMapping | None:
    """The mapping written as "prompt = question, answer = reply"; None where nothing is."""
    if not columns.strip():
        return None
    pairs = [pair.partition("=") for pair in columns.split(",")]
    wrong = [role.strip() for role, _, column in pairs if not column.strip()]
    if wrong:
        raise UserError(
            f"{wrong[0][:60]!r} does not say which column is what.",
            "Write for example: prompt = question, answer = reply.",
        )
    return mapping_of({role.strip(): column.strip() for role, _, column in pairs})
