"""The upper half of the Data page: a file, what is in it, and how to keep it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from engine.core.dataset import Dataset
from engine.services.data import layouts
from engine.workspace import Workspace
from ui.components import markup, words
from ui.components.markup import RAW
from ui.components.page import Page
from ui.pages.data import findings, fix_preview, hub, mapping
from ui.pages.data import preview as files
from ui.pages.data.mapping import Panel
from ui.pages.data.preview import BY_HAND, Asked, Looked
from ui.web.errors import shows_errors

SUFFIXES = [
    ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".zip", ".gz",
]  # fmt: skip
Opens = Callable[..., tuple[Any, ...]]  # a version -> the updates that open it


class Drop(NamedTuple):
    """The components; `path` and `said` hold the file and the columns that are confirmed."""

    path: gr.State
    said: gr.State
    file: gr.File
    sample: gr.Button
    hub: hub.Box
    keep: gr.Column
    name: gr.Textbox
    held_out: gr.Slider
    layout: gr.Dropdown
    group: gr.Dropdown
    remap: gr.Button
    fixes: gr.CheckboxGroup
    change: gr.HTML
    add: gr.Button
    report: gr.HTML
    panel: Panel
    preview: gr.HTML


def build() -> Drop:
    """A file on one side, what was found in it on the other, its rows below."""
    path, said = gr.State(""), gr.State(None)
    with gr.Row(equal_height=False, elem_classes="tl-drop"):
        with gr.Column(scale=2, min_width=300):
            file = gr.File(
                label="JSONL, JSON, CSV, Excel, Parquet, text, ZIP or gz",
                file_types=SUFFIXES, height=168, elem_id="data-file",
            )  # fmt: skip
            sample = gr.Button("Add the sample data instead", size="sm", elem_id="data-sample")
            box = hub.build()
            with gr.Column(visible=False, elem_id="data-keep") as keep:
                boxes = _boxes()
        with gr.Column(scale=3, min_width=300):
            report = gr.HTML(findings.guide(), elem_id="data-report")
    panel = mapping.build()
    preview = gr.HTML("", elem_id="data-preview")
    return Drop(path, said, file, sample, box, keep, *boxes, report, panel, preview)


def _boxes() -> tuple[
    gr.Textbox, gr.Slider, gr.Dropdown, gr.Dropdown, gr.Button, gr.CheckboxGroup, gr.HTML, gr.Button
]:
    known = [(f"{one.title}: {one.summary}", one.name) for one in layouts.known()]
    by_hand = ("Say which column is what", BY_HAND)
    return (
        gr.Textbox(label="Name", max_length=60, elem_id="data-name"),
        gr.Slider(
            0, 50, 15, step=1, label="Held out, in percent", elem_id="data-held-out",
            info="Kept away from training, so that scores are honest",
        ),
        gr.Dropdown(
            [("Found by itself", ""), by_hand, *known], value="", label="Layout",
            elem_id="data-layout",
        ),
        gr.Dropdown(
            [("none", "")], value="", label="Rows that belong together", elem_id="data-group",
            info="Rows with the same value in this column are never split apart",
        ),
        gr.Button("Change which column is what", size="sm", visible=False, elem_id="data-remap"),
        gr.CheckboxGroup([], label="Mend before adding", visible=False, elem_id="data-fixes"),
        gr.HTML("", elem_id="data-change"),
        gr.Button("Add to project", variant="primary", elem_id="data-add"),
    )  # fmt: skip


def outputs(drop: Drop) -> list[Any]:
    """The components of a look, in the order of `Looked`."""
    return [
        drop.report, drop.preview, drop.keep, drop.add, drop.sample, drop.group, drop.fixes,
        drop.change, drop.remap, drop.panel.whole, drop.panel.example,
        drop.panel.kind, *drop.panel.roles,
    ]  # fmt: skip


def flat(found: Looked) -> list[Any]:
    """The updates of a look, in the order of `outputs`."""
    return [*found[:-1], *found.columns]


def wire(ws: Workspace, page: Page, drop: Drop, opened: list[Any], opens: Opens) -> None:
    """Connect everything; what is added is opened in the lower half."""
    given = [drop.path, drop.held_out, drop.layout, drop.group, drop.said]
    _wire_looks(ws, drop, given)
    _wire_columns(ws, drop, given)
    _wire_keeping(ws, page, drop, given, opened, opens)


def _wire_looks(ws: Workspace, drop: Drop, given: list[Any]) -> None:
    busy = {**RAW, "show_progress": "full", "show_progress_on": drop.report}

    def on_file(path: str | None) -> tuple[Any, ...]:
        name = Path(path).name.split(".")[0][:60] if path else ""
        return path or "", None, name, "", ""

    @shows_errors
    def on_fresh(*said: Any) -> list[Any]:
        return flat(files.look_at(ws, files.asked(*said)))

    @shows_errors
    def on_look(*said: Any) -> list[Any]:
        return flat(files.look_at(ws, files.asked(*said), fresh=False))

    @shows_errors
    def on_tick(*said: Any) -> str:
        return files.change(ws, files.asked(*said[:-1]), fix_preview.chosen(said[-1]))

    new = drop.file.change(
        on_file,
        drop.file,
        [drop.path, drop.said, drop.name, drop.group, drop.layout],
        **markup.QUIET,
    )
    new.then(on_fresh, given, outputs(drop), **busy)
    drop.layout.input(on_fresh, given, outputs(drop), **busy)
    gr.on([drop.held_out.release, drop.group.input], on_look, given, outputs(drop), **busy)
    ticked = {**RAW, "show_progress": "minimal", "show_progress_on": drop.change}
    drop.fixes.input(
        on_tick, [*given, drop.fixes], drop.change, trigger_mode="always_last", **ticked
    )


def _wire_columns(ws: Workspace, drop: Drop, given: list[Any]) -> None:
    panel = drop.panel
    columns = [panel.kind, *panel.roles]
    busy = {**RAW, "show_progress": "minimal", "show_progress_on": panel.example,
            "trigger_mode": "always_last"}  # fmt: skip

    @shows_errors
    def on_choice(*said: Any) -> str:
        size = len(given)
        return files.mapped(ws, files.asked(*said[:size]), said[size], said[size + 1 :])

    @shows_errors
    def on_use(kind: Any, *roles: Any) -> Any:
        return mapping.said(kind, roles)

    @shows_errors
    def on_used(*said: Any) -> list[Any]:
        return flat(files.look_at(ws, files.asked(*said)))

    @shows_errors
    def on_remap(*said: Any) -> list[Any]:
        one = files.asked(*said)._replace(mapping=None, layout=BY_HAND)
        return [None, *flat(files.look_at(ws, one, fresh=False))]

    kind = panel.kind.input(mapping.shown_for, panel.kind, panel.roles, **RAW)
    kind.then(on_choice, [*given, *columns], panel.example, **busy)
    for role in panel.roles:
        role.input(on_choice, [*given, *columns], panel.example, **busy)
    looking = {**RAW, "show_progress": "full", "show_progress_on": drop.report}
    used = panel.use.click(on_use, columns, drop.said, **RAW)
    used.success(on_used, given, outputs(drop), **looking)
    drop.remap.click(on_remap, given, [drop.said, *outputs(drop)], **looking)


def _wire_keeping(
    ws: Workspace, page: Page, drop: Drop, given: list[Any], opened: list[Any], opens: Opens
) -> None:
    @shows_errors
    def on_add(project: str, name: Any, fixes: Any, *said: Any) -> tuple[Any, ...]:
        one: Asked = files.asked(*said)
        kept = files.add(ws, project, one, str(name or "")[:60], fix_preview.chosen(fixes))
        gr.Success(added(kept), title="Added")
        return None, *opens(kept)

    @shows_errors
    def on_hub(project: str, *typed: Any) -> tuple[Any, ...]:
        kept = hub.fetch(ws, project, *(str(each or "") for each in typed))
        gr.Success(added(kept), title="Added")
        return None, *opens(kept)

    inputs = [page.project, drop.name, drop.fixes, *given]
    out = [drop.file, *opened]
    busy = {**RAW, "show_progress": "full", "show_progress_on": drop.report}
    typed = [drop.hub.name, drop.hub.file, drop.hub.columns]
    drop.add.click(on_add, inputs, out, **busy)
    fetched = [page.project, *typed]
    drop.hub.go.click(on_hub, fetched, out, **{**busy, "show_progress_on": drop.hub.note})


def added(kept: Dataset) -> str:
    """What came of adding, in a sentence."""
    sides = f"{kept.train_rows:,} {words.use(kept.kind)} and {kept.held_out_rows:,} held out"
    return f"{kept.label} is in the project: {sides}."
