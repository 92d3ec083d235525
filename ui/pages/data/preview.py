"""A file that is looked at before it is kept: what is in it, what would be mended, keeping it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.examples import Example
from engine.formats.mapping import Mapping
from engine.services.data import cleaning, datasets
from engine.services.data import preview as data_preview
from engine.services.data.preview import Checked
from engine.services.models import registry
from engine.workspace import Workspace
from ui.components import markup
from ui.pages.data import findings, fix_preview, mapping, row_view
from ui.web.session import who

LONGEST = 512  # tokens: what a training keeps of a row unless told otherwise
FEW = 4  # rows shown of a file or version
TWO = 2  # rows shown while columns are chosen
BY_HAND = "mapped"  # a choice among the layouts: to say which column is what
EVERY = 10**9  # rows: findings show theirs, wherever they are


class Asked(NamedTuple):
    """A dropped file and what a person has said about it."""

    path: str | None
    percent: float = 15
    layout: str = ""
    group: str = ""
    mapping: Mapping | None = None

    @property
    def how(self) -> dict[str, Any]:
        """How the file is to be read, as the services take it."""
        layout = "" if self.layout == BY_HAND or self.mapping else self.layout
        return {
            "layout": layout or None,
            "mapping": self.mapping,
            "group": self.group or None,
        }


class Looked(NamedTuple):
    """The updates after a look, in the order of the components; `columns` only on a fresh look."""

    report: Any
    preview: Any
    keep: Any
    add: Any
    sample: Any
    group: Any
    fixes: Any
    change: Any
    remap: Any
    panel: Any
    example: Any
    columns: tuple[Any, ...]


def asked(path: Any, percent: Any, layout: Any, group: Any, said: Mapping | None) -> Asked:
    """What came from the browser, whatever it is, as what may be asked."""
    share = percent if isinstance(percent, int | float) else 15
    return Asked(str(path or "") or None, share, str(layout or ""), str(group or ""), said)


def look_at(ws: Workspace, one: Asked, fresh: bool = True) -> Looked:
    """Everything that the page shows of a dropped file; nothing is stored."""
    if not one.path:
        return _nothing(findings.guide(), kept=False)
    where = Path(one.path)
    try:
        found = data_preview.check(
            who(ws), where, where.name, held_out=one.percent / 100, shown=EVERY, **one.how
        )
    except UserError as error:  # the boxes stay: the layout may be chosen by hand
        return _nothing(findings.refused(error), kept=True)
    if not found.confirmed or (one.layout == BY_HAND and not one.mapping):
        return _columns(ws, found, fresh)
    fixes = fix_preview.choices(found.findings)
    return Looked(
        report=findings.report(found),
        preview=markup.part("The first rows, as the model will see them")
        + preview_of(ws, found.examples[:FEW]),
        keep=gr.Column(visible=True),
        add=gr.Button(interactive=not found.refusal),
        sample=gr.Button(visible=False),
        group=_groups(found.columns, one.group),
        fixes=gr.CheckboxGroup(choices=fixes, value=[], visible=bool(fixes)),
        change=fix_preview.hint(fixes),
        remap=gr.Button(visible=one.mapping is not None),
        panel=gr.Column(visible=False),
        example="",
        columns=_skipped(),
    )


def mapped(ws: Workspace, one: Asked, kind: Any, columns: Sequence[Any]) -> str:
    """Two rows as they would be with these columns, or why they would not be."""
    try:
        said = mapping.said(kind, columns)
        found = _checked(ws, one._replace(mapping=said, layout=""))
    except UserError as error:
        return markup.notice(str(error), "warn")
    return f"{_rows_read(found)}{preview_of(ws, found.examples)}"


def change(ws: Workspace, one: Asked, fixes: Sequence[str]) -> str:
    """What the ticked fixes would do to the file."""
    if not one.path or not fixes:
        return fix_preview.hint([("", "")])
    where = Path(one.path)
    return fix_preview.change(cleaning.preview_file(who(ws), where, where.name, fixes, **one.how))


def add(
    ws: Workspace, project: str | None, one: Asked, name: str, fixes: Sequence[str] = ()
) -> Dataset:
    """The file as a version of the project; with fixes, as it is and then a mended version."""
    if not one.path:
        raise UserError("There is no file to add.", "Drop one first.")
    if one.layout == BY_HAND and not one.mapping:
        raise UserError("The columns are not confirmed yet.", "Say first which column is what.")
    where = Path(one.path)
    called = " ".join(name.replace("/", "-").replace(".", "-").split()) or where.name.split(".")[0]
    file = f"{called}{''.join(where.suffixes[-2:])}"
    share = one.percent / 100
    kept = datasets.add(ws, who(ws), open_project(project), where, file, held_out=share, **one.how)
    return cleaning.mend(ws, who(ws), kept.id, fixes) if fixes else kept


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
        return row_view.rows(data_preview.see(ws, who(ws), examples, model, longest))
    except UserError as error:  # such as a base without a chat template
        return markup.notice(str(error), "warn") + row_view.plain(examples)


def base(ws: Workspace) -> str | None:
    """The base model whose tokens are shown: the first one."""
    return next((m.id for m in registry.list_all(ws, who(ws)) if m.kind == "base"), None)


def _checked(ws: Workspace, one: Asked) -> Checked:
    where = Path(one.path or "")
    share = one.percent / 100
    return data_preview.check(who(ws), where, where.name, held_out=share, shown=TWO, **one.how)


def _rows_read(found: Checked) -> str:
    read = f"{found.rows:,} rows can be read this way. The first two, as the model will see them:"
    return f'<p class="tl-hint">{read}</p>'


def _columns(ws: Workspace, found: Checked, fresh: bool) -> Looked:
    """The panel to say which column is what; the guess is filled in only by a fresh look."""
    start = found.mapping if fresh else None
    shown = _rows_read(found) + preview_of(ws, found.examples[:TWO]) if start else ""
    return _nothing(findings.columns_unknown(found), kept=True)._replace(
        group=_groups(found.columns, ""),
        panel=gr.Column(visible=True),
        example=shown if fresh else gr.skip(),
        columns=mapping.filled(found.columns, found.mapping) if fresh else _skipped(),
    )


def _nothing(report: str, kept: bool) -> Looked:
    """The page without a file that could be added."""
    return Looked(
        report=report,
        preview="",
        keep=gr.Column(visible=kept),
        add=gr.Button(interactive=False),
        sample=gr.Button(visible=not kept),
        group=gr.skip(),
        fixes=gr.CheckboxGroup(choices=[], value=[], visible=False),
        change="",
        remap=gr.Button(visible=False),
        panel=gr.Column(visible=False),
        example="",
        columns=_skipped(),
    )


def _groups(columns: Sequence[str], kept: str) -> Any:
    return gr.Dropdown(choices=mapping.offers(columns), value=kept if kept in columns else "")


def _skipped() -> tuple[Any, ...]:
    return tuple(gr.skip() for _ in range(1 + len(mapping.ROLES)))
