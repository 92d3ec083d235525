"""Data: drop a file, see what a model would see of it, keep it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from engine.core.actor import LOCAL
from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.finding import Finding
from engine.services import datasets, look, models
from engine.workspace import Workspace
from ui import kit, picks, words
from ui.events import shows_errors
from ui.live import LivePlot
from ui.page import Page
from ui.views import charts_data, findings, seen

SUFFIXES = [".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt"]
SAMPLES = (("library_faq.jsonl", 0.15), ("library_prompts.jsonl", 0.0))
LONGEST = 512  # tokens: what a training keeps of a row unless told otherwise
FEW = 4  # rows shown of a file or version


class Drop(NamedTuple):
    """The upper half: a file, what is in it, and how to keep it."""

    file: gr.File
    sample: gr.Button
    keep: gr.Column
    name: gr.Textbox
    held_out: gr.Slider
    layout: gr.Dropdown
    add: gr.Button
    report: gr.HTML
    preview: gr.HTML


class Shelf(NamedTuple):
    """The lower half: the project's versions, and one of them opened."""

    title: gr.HTML
    cards: gr.HTML
    detail: gr.Column
    about: gr.HTML
    picture: gr.Column
    lengths: LivePlot
    rows: gr.HTML
    onward: gr.Button


def build(ws: Workspace, page: Page) -> None:
    """The tab: a file and what is in it, then the versions that the project holds."""
    gr.HTML(kit.head("Data", "Drop a file of examples and see what a model would learn from it."))
    drop = _drop()
    shelf = _shelf()
    kit.goto(shelf.onward, page, "train")
    _wire_drop(ws, drop)
    _wire_keeping(ws, page, drop, shelf)
    _wire_shelf(ws, page, shelf)


def look_at(ws: Workspace, path: str | None, percent: float, layout: str) -> tuple[Any, ...]:
    """Of a dropped file: report, preview, the boxes to keep it and whether it can be kept."""
    if not path:
        return findings.guide(), "", gr.Column(visible=False), gr.skip(), gr.Button(visible=True)
    where = Path(path)
    boxes, sample = gr.Column(visible=True), gr.Button(visible=False)
    try:
        found = look.check(
            LOCAL, where, where.name, held_out=percent / 100, layout=layout or None, shown=FEW
        )
    except UserError as error:  # the boxes stay: the layout may be chosen by hand
        return findings.refused(error), "", boxes, gr.Button(interactive=False), sample
    preview = _titled("The first rows, as the model will see them", preview_of(ws, found.examples))
    add = gr.Button(interactive=not found.refusal)
    return findings.report(found), preview, boxes, add, sample


def add_file(
    ws: Workspace, project: str | None, path: str | None, name: str, percent: float, layout: str
) -> Dataset:
    """The file as a version of the project."""
    if not path:
        raise UserError("There is no file to add.", "Drop one first.")
    where = Path(path)
    called = " ".join(name.replace("/", "-").replace(".", "-").split()) or where.stem
    return datasets.add(
        ws,
        LOCAL,
        _open(project),
        where,
        f"{called}{where.suffix}",
        held_out=percent / 100,
        layout=layout or None,
    )


def add_samples(ws: Workspace, project: str | None) -> Dataset:
    """The demo's own files in the project; the one to train on."""
    folder = Path(datasets.__file__).parents[1] / "demo"
    questions, _ = (
        datasets.add(ws, LOCAL, _open(project), folder / file, file, held_out=share, seed=7)
        for file, share in SAMPLES
    )
    return questions


def shelf_of(ws: Workspace, project: str | None) -> tuple[Any, ...]:
    """The project's versions as a title and cards, and the way on once there is one."""
    found = datasets.list_all(ws, LOCAL, project) if project else []
    if not found:
        text = (
            "Drop a file above, or start with the sample data."
            if project
            else "Make a project first, at the top of the page."
        )
        return kit.empty("No data in this project yet", text), "", gr.Button(visible=False)
    title = _titled("In this project", "", "A version never changes. Choose one to look inside.")
    return title, picks.cards([picks.Pick(d.id, card(d)) for d in found]), gr.Button(visible=True)


def show(ws: Workspace, dataset_id: str) -> tuple[Any, ...]:
    """One version opened: what it is, how long its rows are, and the first of them."""
    one = datasets.get(ws, LOCAL, dataset_id)
    kind, use = words.KINDS[one.kind]
    found = findings.listed([Finding.model_validate(each) for each in one.findings])
    about = _titled(one.label, found, f"{kind}: {use}.")
    base = _base(ws)
    figure = (
        charts_data.lengths(look.lengths(ws, LOCAL, dataset_id, base), LONGEST) if base else None
    )
    first = [row.example for row in datasets.rows(ws, LOCAL, dataset_id, "train", FEW)]
    rows = _titled("The first rows, as the model sees them", preview_of(ws, first))
    return gr.Column(visible=True), about, gr.Column(visible=bool(base)), figure, rows


def preview_of(ws: Workspace, examples: Sequence[Example]) -> str:
    """Rows with what is learned marked; who says what while there is no model yet."""
    base = _base(ws)
    if base is None:
        waiting = "The model is still being fetched; after that you see every token here."
        return kit.notice(waiting, "busy") + seen.plain(examples)
    try:
        return seen.rows(look.see(ws, LOCAL, examples, base, LONGEST))
    except UserError as error:  # such as a base without a chat template
        return kit.notice(str(error), "warn") + seen.plain(examples)


def card(one: Dataset) -> str:
    """A version at a glance: name, kind, how it is split, when it came."""
    kind, _ = words.KINDS[one.kind]
    share = 100 * one.train_rows / one.rows
    return (
        f'<div class="tl-card-head"><b>{escape(one.name)}</b><span>@{one.version}</span></div>'
        f'<p class="tl-card-kind">{escape(kind)}</p>'
        f'<div class="tl-split" style="--tl-share:{share:.1f}%"><i></i></div>'
        f'<p class="tl-card-note"><b>{one.train_rows:,}</b> {words.use(one.kind)} · '
        f"<b>{one.held_out_rows:,}</b> held out</p>"
        f'<div class="tl-card-foot">'
        f"{findings.summary([Finding.model_validate(each) for each in one.findings])}"
        f"<span>{kit.when(one.created_at)}</span></div>"
    )


def _drop() -> Drop:
    with gr.Row(equal_height=False, elem_classes="tl-drop"):
        with gr.Column(scale=2, min_width=300):
            file = gr.File(
                label="JSONL, JSON, CSV, TSV, Parquet or text",
                file_types=SUFFIXES,
                height=168,
                elem_id="data-file",
            )
            sample = gr.Button("Add the sample data instead", size="sm", elem_id="data-sample")
            with gr.Column(visible=False, elem_id="data-keep") as keep:
                boxes = _boxes()
        with gr.Column(scale=3, min_width=300):
            report = gr.HTML(findings.guide(), elem_id="data-report")
    preview = gr.HTML("", elem_id="data-preview")
    return Drop(file, sample, keep, *boxes, report, preview)


def _boxes() -> tuple[gr.Textbox, gr.Slider, gr.Dropdown, gr.Button]:
    layouts = [(f"{name}: {shape}", each) for each, name, shape in words.layouts()]
    return (
        gr.Textbox(label="Name", max_length=60, elem_id="data-name"),
        gr.Slider(
            0,
            30,
            15,
            step=1,
            label="Held out, in percent",
            info="Kept away from training, so that scores are honest",
            elem_id="data-held-out",
        ),
        gr.Dropdown(
            [("Found by itself", ""), *layouts], value="", label="Layout", elem_id="data-layout"
        ),
        gr.Button("Add to project", variant="primary", elem_id="data-add"),
    )


def _shelf() -> Shelf:
    title = gr.HTML("", elem_id="data-shelf")
    cards = picks.component("data-cards")
    with gr.Column(visible=False, elem_id="data-detail") as detail:
        about = gr.HTML("")
        with gr.Column() as picture:
            lengths = LivePlot(height=220, elem_id="data-lengths")
        rows = gr.HTML("", elem_id="data-rows")
    onward = gr.Button("Train on it", variant="primary", visible=False, elem_id="data-next")
    return Shelf(title, cards, detail, about, picture, lengths, rows, onward)


def _wire_drop(ws: Workspace, drop: Drop) -> None:
    @shows_errors
    def on_look(path: str | None, percent: float, layout: str) -> tuple[Any, ...]:
        return look_at(ws, path, percent, layout)

    inputs = [drop.file, drop.held_out, drop.layout]
    outputs = [drop.report, drop.preview, drop.keep, drop.add, drop.sample]
    for event in (drop.file.change, drop.held_out.release, drop.layout.input):
        event(on_look, inputs, outputs, **kit.QUIET)
    drop.file.upload(lambda path: Path(path).stem, drop.file, drop.name, **kit.QUIET)


def _wire_keeping(ws: Workspace, page: Page, drop: Drop, shelf: Shelf) -> None:
    @shows_errors
    def on_add(project: str, *boxes: Any) -> tuple[Any, ...]:
        kept = add_file(ws, project, *boxes)
        gr.Success(f"{kept.label} is in the project: {kept.rows:,} rows.", title="Added")
        return None, *show(ws, kept.id)

    @shows_errors
    def on_sample(project: str) -> tuple[Any, ...]:
        kept = add_samples(ws, project)
        gr.Success("A library's help desk: questions with answers, and prompts.", title="Added")
        return None, *show(ws, kept.id)

    boxes = [drop.file, drop.name, drop.held_out, drop.layout]
    outputs = [drop.file, shelf.detail, shelf.about, shelf.picture, shelf.lengths, shelf.rows]
    added = drop.add.click(on_add, [page.project, *boxes], outputs, **kit.QUIET)
    sampled = drop.sample.click(on_sample, page.project, outputs, **kit.QUIET)
    held = [shelf.title, shelf.cards, shelf.onward]
    for event in (added, sampled):
        event.success(lambda project: shelf_of(ws, project), page.project, held, **kit.QUIET)


def _wire_shelf(ws: Workspace, page: Page, shelf: Shelf) -> None:
    @shows_errors
    def on_pick(event: gr.EventData) -> tuple[Any, ...]:
        return show(ws, picks.picked(event))

    @shows_errors
    def on_shelf(project: str | None) -> tuple[Any, ...]:
        return shelf_of(ws, project)

    opened = [shelf.detail, shelf.about, shelf.picture, shelf.lengths, shelf.rows]
    shelf.cards.click(on_pick, None, opened, **kit.QUIET)
    page.project.change(lambda: gr.Column(visible=False), None, shelf.detail, **kit.QUIET)
    kit.on_show(page, on_shelf, [page.project], [shelf.title, shelf.cards, shelf.onward])


def _open(project: str | None) -> str:
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    return project


def _base(ws: Workspace) -> str | None:
    """The base model whose tokens are shown: the first one."""
    return next((m.id for m in models.list_all(ws, LOCAL) if m.kind == "base"), None)


def _titled(title: str, html: str, text: str = "") -> str:
    under = f"<p>{escape(text)}</p>" if text else ""
    return f'<div class="tl-part"><h3>{escape(title)}</h3>{under}</div>{html}'
