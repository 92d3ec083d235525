"""The upper half of the Data page: upload, preview and the form that adds a dataset."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gradio as gr

from engine.core.dataset import HELD_OUT_SHARE, Dataset
from engine.services.data import layouts
from engine.workspace import Workspace
from ui.components import words
from ui.components.markup import RAW
from ui.components.page import Page
from ui.pages.data import findings, fix_preview, hub, mapping
from ui.pages.data import preview as previews
from ui.pages.data.mapping import MappingPanel
from ui.pages.data.preview import BY_HAND, HELD_OUT_INFO, PreviewUpdates
from ui.web.errors import shows_errors

SUFFIXES = [
    ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".zip", ".gz",
]  # fmt: skip
Opens = Callable[..., tuple[Any, ...]]  # a version -> the updates that open it


class UploadForm(NamedTuple):
    """The components; `upload` holds the id of a staged file, `mapping` the confirmed columns."""

    upload: gr.State
    mapping: gr.State
    file: gr.File
    sample: gr.Button
    hub: hub.Box
    keep: gr.Column
    name: gr.Textbox
    held_out: gr.Slider
    sheet: gr.Dropdown
    layout: gr.Dropdown
    group: gr.Dropdown
    remap: gr.Button
    fixes: gr.CheckboxGroup
    change: gr.HTML
    add: gr.Button
    report: gr.HTML
    panel: MappingPanel
    preview: gr.HTML


def build() -> UploadForm:
    """A file on one side, on the other what was found in it or its columns to map, rows below."""
    upload, columns = gr.State(""), gr.State(None)
    with gr.Row(equal_height=False, elem_classes="tl-drop"):
        with gr.Column(scale=2, min_width=300):
            file = gr.File(
                label="JSONL, JSON, CSV, Excel, Parquet, text, ZIP or gz",
                file_types=SUFFIXES, file_count="multiple", height=168, elem_id="data-file",
            )  # fmt: skip
            sample = gr.Button("Add the sample data instead", size="sm", elem_id="data-sample")
            box = hub.build()
            with gr.Column(visible=False, elem_id="data-keep") as keep:
                boxes = _boxes()
        with gr.Column(scale=3, min_width=300):
            report = gr.HTML(findings.guide(), elem_id="data-report")
            panel = mapping.build()
    preview = gr.HTML("", elem_id="data-preview")
    return UploadForm(upload, columns, file, sample, box, keep, *boxes, report, panel, preview)


def _boxes() -> tuple[
    gr.Textbox,
    gr.Slider,
    gr.Dropdown,
    gr.Dropdown,
    gr.Dropdown,
    gr.Button,
    gr.CheckboxGroup,
    gr.HTML,
    gr.Button,
]:
    known = [(f"{one.title}: {one.summary}", one.name) for one in layouts.known()]
    by_hand = ("Map columns by hand", BY_HAND)
    name = gr.Textbox(label="Name", max_length=60, elem_id="data-name")
    # the next step stands in the first screen: what follows may stay as it is
    add = gr.Button("Add to project", variant="primary", elem_id="data-add")
    return (
        name,
        gr.Slider(
            0, 50, 100 * HELD_OUT_SHARE, step=1, label="Held out, in percent",
            elem_id="data-held-out",
            info=HELD_OUT_INFO,
        ),
        gr.Dropdown([], label="Sheet of the workbook", visible=False, elem_id="data-sheet"),
        gr.Dropdown(
            [("Detect automatically", ""), by_hand, *known], value="", label="Layout",
            elem_id="data-layout",
        ),
        gr.Dropdown(
            [("none", "")], value="", label="Group column", elem_id="data-group",
            info="Rows with equal values stay on one side of the split",
        ),
        gr.Button("Change the column mapping", size="sm", visible=False, elem_id="data-remap"),
        gr.CheckboxGroup([], label="Fixes", visible=False, elem_id="data-fixes"),
        gr.HTML("", elem_id="data-change"),
        add,
    )  # fmt: skip


def outputs(form: UploadForm) -> list[Any]:
    """The components of `PreviewUpdates`, in its order."""
    named = {
        **form._asdict(), "panel": form.panel.whole, "example": form.panel.example,
        "columns": (form.panel.kind, *form.panel.roles),
    }  # fmt: skip
    return flat([named[name] for name in PreviewUpdates._fields])


def flat(each: Sequence[Any]) -> list[Any]:
    """Components or updates with those of the columns in line."""
    *others, columns = each
    return [*others, *columns]


def wire(ws: Workspace, page: Page, form: UploadForm, opened: list[Any], opens: Opens) -> None:
    """Connect everything; what is added is opened in the lower half."""
    given = [form.upload, form.held_out, form.layout, form.group, form.mapping]
    _wire_previews(ws, form, given)
    _wire_columns(ws, form, given)
    _wire_keeping(ws, page, form, given, opened, opens)


def _wire_previews(ws: Workspace, form: UploadForm, given: list[Any]) -> None:
    busy = {**RAW, "show_progress": "full", "show_progress_on": form.report}

    @shows_errors
    def on_file(paths: list[str] | None, percent: Any, sheet: Any = None) -> list[Any]:
        upload, name, updates = previews.dropped_files(ws, paths or [], percent, sheet)
        return [upload, None, name, "", *flat(updates)]

    @shows_errors
    def on_layout(*values: Any) -> list[Any]:
        return flat(previews.updates(ws, previews.form_input(*values)))

    @shows_errors
    def on_change(*values: Any) -> list[Any]:
        return flat(previews.updates(ws, previews.form_input(*values), fill_guess=False))

    @shows_errors
    def on_tick(fixes: Any, *values: Any) -> str:
        return previews.fix_change(ws, previews.form_input(*values), fix_preview.chosen(fixes))

    new = [form.upload, form.mapping, form.name, form.layout, *outputs(form)]
    # a file comes as a path only where Gradio prepares it, which also checks that it was uploaded
    form.file.change(on_file, [form.file, form.held_out], new, **{**busy, "preprocess": True})
    form.sheet.input(on_file, [form.file, form.held_out, form.sheet], new,
                     **{**busy, "preprocess": True})  # fmt: skip
    form.layout.input(on_layout, given, outputs(form), **busy)
    gr.on([form.held_out.release, form.group.input], on_change, given, outputs(form), **busy)
    ticked = {**RAW, "show_progress": "minimal", "show_progress_on": form.change}
    form.fixes.input(
        on_tick, [form.fixes, *given], form.change, trigger_mode="always_last", **ticked
    )


def _wire_columns(ws: Workspace, form: UploadForm, given: list[Any]) -> None:
    panel = form.panel
    columns = [panel.no_header, panel.kind, *panel.roles]
    busy = {**RAW, "show_progress": "minimal", "show_progress_on": panel.example,
            "trigger_mode": "always_last"}  # fmt: skip

    @shows_errors
    def on_choice(*values: Any) -> str:
        own, (no_header, kind, *roles) = values[: len(given)], values[len(given) :]
        return previews.mapping_example(ws, previews.form_input(*own), kind, roles, no_header)

    @shows_errors
    def on_use(no_header: Any, kind: Any, *roles: Any) -> Any:
        return mapping.chosen(kind, roles, no_header)

    @shows_errors
    def on_used(*values: Any) -> list[Any]:
        return flat(previews.updates(ws, previews.form_input(*values)))

    @shows_errors
    def on_remap(*values: Any) -> list[Any]:
        by_hand = previews.form_input(*values)._replace(mapping=None, layout=BY_HAND)
        return [None, *flat(previews.updates(ws, by_hand, fill_guess=False))]

    kind = panel.kind.input(mapping.shown_for, panel.kind, panel.roles, **RAW)
    kind.then(on_choice, [*given, *columns], panel.example, **busy)
    for field in (panel.no_header, *panel.roles):
        field.input(on_choice, [*given, *columns], panel.example, **busy)
    looking = {**RAW, "show_progress": "full", "show_progress_on": form.report}
    used = panel.use.click(on_use, columns, form.mapping, **RAW)
    used.success(on_used, given, outputs(form), **looking)
    form.remap.click(on_remap, given, [form.mapping, *outputs(form)], **looking)


def _wire_keeping(
    ws: Workspace, page: Page, form: UploadForm, given: list[Any], opened: list[Any], opens: Opens
) -> None:
    @shows_errors
    def on_add(project: str, name: Any, fixes: Any, *values: Any) -> tuple[Any, ...]:
        given = previews.form_input(*values)
        kept = previews.add(ws, project, given, str(name or "")[:60], fix_preview.chosen(fixes))
        gr.Success(added(kept), title="Added")
        return None, *opens(kept)

    @shows_errors
    def on_hub(project: str, *typed: Any) -> tuple[Any, ...]:
        kept = hub.fetch(ws, project, *(str(each or "") for each in typed))
        gr.Success(added(kept), title="Added")
        return None, *opens(kept)

    inputs = [page.project, form.name, form.fixes, *given]
    out = [form.file, *opened]
    busy = {**RAW, "show_progress": "full", "show_progress_on": form.report}
    typed = [form.hub.name, form.hub.file, form.hub.columns]
    form.add.click(on_add, inputs, out, **busy)
    fetched = [page.project, *typed]
    form.hub.go.click(on_hub, fetched, out, **{**busy, "show_progress_on": form.hub.note})


def added(kept: Dataset) -> str:
    """What came of adding, in a sentence."""
    sides = f"{kept.train_rows:,} {words.use(kept.kind)} and {kept.held_out_rows:,} held out"
    return f"{kept.label} is in the project: {sides}."
