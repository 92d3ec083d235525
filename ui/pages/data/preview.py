"""An upload before it is kept: what it holds, what fixes would change, adding it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import Dataset
from engine.core.errors import NotFound, UserError
from engine.core.examples import Example
from engine.core.finding import Finding
from engine.services.data import bundle, cleaning, datasets, staging, template_use
from engine.services.data import preview as data_preview
from engine.services.data.datasets import Reading
from engine.services.data.preview import FilePreview
from engine.services.models import registry
from engine.workspace import Workspace
from ui.components import markup
from ui.pages.data import findings, fix_preview, mapping, row_view
from ui.web.session import who

LONGEST = 512  # tokens: what a training keeps of a row unless told otherwise
FEW = 4  # rows shown of a file or version
TWO = 2  # rows shown while columns are chosen
BY_HAND = "mapped"  # a choice among the layouts: to say which column is what
HELD_OUT_INFO = "Not trained on, so that evaluation scores are honest"
OWN_SPLIT_INFO = "Not used: the train and test files keep their own split"
Skip = dict[str, Any]  # an update that leaves a component as it is


class FormInput(NamedTuple):
    """An upload and what a person has said about it."""

    upload: str  # its id, empty while there is none
    percent: float = 15
    layout: str = ""
    group: str = ""
    mapping: ColumnMapping | None = None

    @property
    def reading(self) -> Reading:
        """How the upload is to be read, as the services take it."""
        layout = "" if self.layout == BY_HAND or self.mapping else self.layout
        return Reading(layout=layout or None, mapping=self.mapping, group=self.group or None)

    @property
    def held_out(self) -> float:
        """The share to hold out, from 0 to below 1."""
        return self.percent / 100


class PreviewUpdates(NamedTuple):
    """The updates after a preview, by the names of the components in `upload.UploadForm`."""

    report: str
    preview: str
    keep: gr.Column
    add: gr.Button
    sample: gr.Button
    group: gr.Dropdown | Skip
    sheet: gr.Dropdown | Skip
    held_out: gr.Slider | Skip
    fixes: gr.CheckboxGroup
    change: str
    remap: gr.Button
    panel: gr.Column
    example: str | Skip
    columns: tuple[Any, ...]  # of the kind and of each role


def form_input(
    upload: Any, percent: Any, layout: Any, group: Any, mapping: ColumnMapping | None
) -> FormInput:
    """What came from the browser, whatever it is, as input of the form."""
    share = percent if isinstance(percent, int | float) else 15
    return FormInput(str(upload or ""), share, str(layout or ""), str(group or ""), mapping)


def dropped_files(
    ws: Workspace, paths: Sequence[str], percent: Any = 15, sheet: Any = None
) -> tuple[str, str, PreviewUpdates]:
    """The id of dropped files, their name as a dataset, and everything shown of them.

    Both are empty where the files cannot be read.
    """
    if not paths:
        return "", "", updates(ws, FormInput(""))
    try:
        with bundle.together(ws, [Path(path) for path in paths]) as (file, name):
            upload = staging.stage(ws, who(ws), file, name, str(sheet) if sheet else None)
    except UserError as error:
        return "", "", nothing(findings.refused(error), keep=False)
    shown = updates(ws, form_input(upload, percent, "", "", None))
    return upload, datasets.stem(name), shown


def updates(ws: Workspace, given: FormInput, fill_guess: bool = True) -> PreviewUpdates:
    """Everything that the page shows of an upload; nothing is kept.

    With `fill_guess` the guessed mapping is filled in, over what a person had chosen.
    """
    if not given.upload:
        return nothing(findings.guide(), keep=False)
    try:
        preview = data_preview.preview_upload(
            ws, who(ws), given.upload, given.reading, given.held_out
        )
    except NotFound as error:
        return nothing(markup.notice(str(error), "bad"), keep=False)
    except UserError as error:  # the boxes stay: the layout may be chosen by hand
        return nothing(findings.refused(error), keep=True)
    if not preview.confirmed or (given.layout == BY_HAND and not given.mapping):
        return _columns(ws, preview, fill_guess)
    fixes = fix_preview.choices(preview.findings)
    of_template = _template_findings(ws, given)
    preview = preview._replace(findings=template_use.together(preview.findings, of_template))
    return PreviewUpdates(
        report=findings.report(preview),
        preview=markup.part("The first rows, as the model sees them")
        + preview_of(ws, preview.examples[:FEW]),
        keep=gr.Column(visible=True),
        add=gr.Button(visible=True, interactive=not preview.refusal),
        sample=gr.Button(visible=False),
        group=_groups(preview.columns, given.group),
        sheet=_sheets(preview),
        held_out=_share(preview.own_split),
        fixes=gr.CheckboxGroup(choices=fixes, value=[], visible=bool(fixes)),
        change=fix_preview.hint(fixes),
        remap=gr.Button(visible=given.mapping is not None),
        panel=gr.Column(visible=False),
        example="",
        columns=_skipped(),
    )


def mapping_example(
    ws: Workspace, given: FormInput, kind: Any, columns: Sequence[Any], no_header: Any = False
) -> str:
    """Two rows as these columns give them, or why they do not."""
    try:
        chosen = given._replace(mapping=mapping.chosen(kind, columns, no_header), layout="")
        preview = data_preview.preview_upload(
            ws, who(ws), chosen.upload, chosen.reading, chosen.held_out
        )
    except UserError as error:
        return markup.notice(str(error), "warn")
    return _rows_read(preview) + preview_of(ws, preview.examples[:TWO])


def fix_change(ws: Workspace, given: FormInput, fixes: Sequence[str]) -> str:
    """What the ticked fixes would do to the upload."""
    if not given.upload or not fixes:
        return fix_preview.hint([("", "")])
    return fix_preview.change(
        cleaning.preview_upload(ws, who(ws), given.upload, given.reading, fixes)
    )


def add(
    ws: Workspace, project: str | None, given: FormInput, name: str, fixes: Sequence[str] = ()
) -> Dataset:
    """The upload as a version of the project; with fixes, as it is and then a fixed version."""
    if not given.upload:
        raise UserError("There is no file to add.", "Drop one first.")
    if given.layout == BY_HAND and not given.mapping:
        raise UserError("The columns are not confirmed yet.", "Map the columns first.")
    upload = staging.describe(ws, who(ws), given.upload)
    if upload.refusal and not given.mapping and not given.layout:
        raise UserError(*upload.refusal)
    title = " ".join(name.replace("/", "-").split())
    kept = staging.add(
        ws, who(ws), open_project(project), given.upload, given.reading,
        title or datasets.stem(upload.name), given.held_out, fixes,
    )  # fmt: skip
    staging.discard(ws, who(ws), given.upload)
    return kept


def open_project(project: str | None) -> str:
    """The project that is open; UserError when there is none."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    return project


def preview_of(ws: Workspace, examples: Sequence[Example], longest: int = LONGEST) -> str:
    """Rows with what is learned marked; who says what while there is no model yet."""
    model = base(ws)
    if model is None:
        waiting = "The model is still being fetched; after that you see every token here."
        return markup.notice(waiting, "busy") + row_view.plain(examples)
    try:
        rows = data_preview.preview_rows(ws, who(ws), examples, model, longest)
        return template_note(ws, examples, model) + row_view.rows(rows)
    except UserError as error:  # such as a base without a chat template
        return markup.notice(str(error), "warn") + row_view.plain(examples)


def _template_findings(ws: Workspace, given: FormInput) -> list[Finding]:
    """What the chat template of the base makes of the rows; none while there is no template."""
    model = base(ws)
    if model is None:
        return []
    try:
        return template_use.of_upload(ws, who(ws), given.upload, given.reading, model)
    except NotFound:
        raise
    except UserError:  # the rows below it say why
        return []


def template_note(ws: Workspace, examples: Sequence[Example], model: str) -> str:
    """That the chat template adds a system prompt of its own to these rows, where it does."""
    added = data_preview.default_system(ws, who(ws), model)
    if not added or not data_preview.lack_system(examples):
        return ""
    return (
        f'<p class="tl-hint tl-template">The chat template adds a system prompt to rows that have '
        f"none: <q>{escape(added)}</q>. Set your own under “System prompt” of an added version.</p>"
    )


def base(ws: Workspace) -> str | None:
    """The base model whose tokens are shown: the first one."""
    return next((m.id for m in registry.list_all(ws, who(ws)) if m.kind == "base"), None)


def nothing(report: str, keep: bool) -> PreviewUpdates:
    """The page without an upload that could be added."""
    return PreviewUpdates(
        report=report,
        preview="",
        keep=gr.Column(visible=keep),
        add=gr.Button(visible=False, interactive=False),  # another step comes first
        sample=gr.Button(visible=not keep),
        group=gr.skip(),
        sheet=gr.Dropdown(visible=False) if not keep else gr.skip(),
        held_out=_share(own_split=False),
        fixes=gr.CheckboxGroup(choices=[], value=[], visible=False),
        change="",
        remap=gr.Button(visible=False),
        panel=gr.Column(visible=False),
        example="",
        columns=_skipped(),
    )


def _rows_read(preview: FilePreview) -> str:
    read = f"{preview.rows:,} rows can be read this way. The first two, as the model sees them:"
    return f'<p class="tl-hint">{read}</p>'


def _columns(ws: Workspace, preview: FilePreview, fill_guess: bool) -> PreviewUpdates:
    """The panel to say which column is what."""
    start = preview.mapping if fill_guess else None
    rows = _rows_read(preview) + preview_of(ws, preview.examples[:TWO]) if start else ""
    columns = mapping.filled(preview.columns, preview.mapping) if fill_guess else _skipped()
    return nothing(findings.columns_unknown(preview), keep=True)._replace(
        group=_groups(preview.columns, ""),
        sheet=_sheets(preview),
        panel=gr.Column(visible=True),
        example=rows if fill_guess else gr.skip(),
        columns=columns,
    )


def _groups(columns: Sequence[str], kept: str) -> gr.Dropdown:
    return gr.Dropdown(choices=mapping.offers(columns), value=kept if kept in columns else "")


def _sheets(preview: FilePreview) -> gr.Dropdown:
    """The filled sheets of a workbook, shown where there are several to choose from."""
    several = len(preview.sheets) > 1
    return gr.Dropdown(choices=list(preview.sheets), value=preview.sheet or None, visible=several)


def _share(own_split: bool) -> gr.Slider:
    """The held-out share, which files with a split of their own do not need."""
    info = OWN_SPLIT_INFO if own_split else HELD_OUT_INFO
    return gr.Slider(interactive=not own_split, info=info)


def _skipped() -> tuple[Skip, ...]:
    return tuple(gr.skip() for _ in range(1 + len(mapping.ROLES)))
