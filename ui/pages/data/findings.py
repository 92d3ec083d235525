"""The findings of a file as HTML: severity, number of rows, row numbers and a hint."""

from collections.abc import Mapping, Sequence
from html import escape

from engine.core.errors import UserError
from engine.core.examples import Example
from engine.core.finding import Finding, Severity
from engine.services.data import layouts as layouts_service
from engine.services.data.preview import FilePreview
from ui.components import markup, words
from ui.pages.data import row_view

GRAVITY: dict[Severity, tuple[str, markup.Tone]] = {
    "error": ("fix this", "bad"),
    "warning": ("check this", "warn"),
    "info": ("note", "neutral"),
}
ROWS_NAMED = 5
ROWS_SHOWN = 3
LONG = 200  # characters: a fix that lists every layout is shown as the table instead


def report(found: FilePreview) -> str:
    """What a file holds: its layout, its rows, the split it would get, and the findings."""
    kind, use = words.KINDS[found.kind]
    numbers = [
        markup.stat("Rows", f"{found.rows:,}"),
        markup.stat(words.use(found.kind).capitalize(), f"{found.train_rows:,}"),
        markup.stat("Held out", f"{found.held_out_rows:,}"),
    ]
    columns = f" ({found.mapping})" if found.mapping else ""
    return (
        f'<div class="tl-found"><h3>{escape(kind)}</h3><p>Layout: <b>'
        f"{escape(layouts_service.title(found.layout) + columns)}</b>. "
        f"{escape(use[0].upper() + use[1:])}.</p></div>"
        + markup.stats(numbers)
        + (markup.notice(found.refusal, "bad") if found.refusal else "")
        + listed(found.findings, found.named)
    )


def listed(found: Sequence[Finding], examples: Sequence[Example] = ()) -> str:
    """The findings, gravest first, with their rows where these are given."""
    if not found:
        return markup.notice("The checks found no problems.", "good")
    by_row: dict[int, Example] = {}
    for example in examples:
        by_row.setdefault(example.source_row, example)
    items = "".join(_finding(each, by_row) for each in found)
    return f'<ul class="tl-findings">{items}</ul>'


def summary(found: Sequence[Finding]) -> str:
    """One badge for all findings of a version."""
    errors = sum(each.severity == "error" for each in found)
    warnings = sum(each.severity == "warning" for each in found)
    if errors:
        return markup.badge(f"{errors} to fix", "bad")
    if warnings:
        return markup.badge(f"{warnings} to check", "warn")
    return markup.badge("checks passed", "good")


def columns_unknown(found: FilePreview) -> str:
    """That the columns of a file have to be mapped by hand."""
    shown = ", ".join(name[:40] for name in found.columns[:12])
    return (
        '<div class="tl-found tl-unmapped"><h3>Map the columns</h3><p>'
        f"{found.rows:,} rows with the columns <b>{escape(shown)}</b>. "
        "No known layout fits them: check what each column holds.</p></div>"
    )


def refused(error: UserError) -> str:
    """Why a file cannot be used, and what it may look like instead."""
    fix = error.fix if len(error.fix) < LONG else error.fix.partition(":")[0] + ", listed below."
    return markup.notice(f"{error.problem} {fix}", "bad") + layouts()


def guide() -> str:
    """The supported layouts, before a file is dropped."""
    return (
        '<div class="tl-found"><h3>Supported layouts</h3><p>The layout is detected from the '
        "column names. A hundred good rows are a start.</p></div>"
        '<details class="tl-guide tl-show"><summary>Show supported layouts</summary>'
        f"{layouts()}</details>"
    )


def layouts() -> str:
    """The known layouts and their columns."""
    rows = "".join(
        f"<div><dt>{escape(one.title)}</dt><dd>{escape(one.summary)}</dd></div>"
        for one in layouts_service.known()
    )
    return f'<dl class="tl-layouts">{rows}</dl>'


def _finding(one: Finding, by_row: Mapping[int, Example]) -> str:
    word, tone = GRAVITY[one.severity]
    known = [row for row in one.rows if row]  # pairs once had no numbers: all of them 0
    named = ", ".join(f"{row:,}" for row in known[:ROWS_NAMED])
    more = ", …" if one.count > ROWS_NAMED else ""
    where = f'<span class="tl-where">Row {named}{more}</span>' if named else ""
    return (
        f"<li>{markup.badge(word, tone)}<div><p>{escape(one.message)} {where}</p>"
        f'<p class="tl-fix">{escape(one.hint)}</p>{_rows(one, by_row)}</div></li>'
    )


def _rows(one: Finding, by_row: Mapping[int, Example]) -> str:
    """The first rows of a finding, folded; a row that could not be read is not among them."""
    there = [(row, by_row[row]) for row in one.rows if row and row in by_row][:ROWS_SHOWN]
    if not there:
        return ""
    shown = "".join(f"<small>Row {row:,}</small>{row_view.line(example)}" for row, example in there)
    what = "Show the row" if len(there) == 1 else f"Show {len(there)} of these rows"
    return f'<details class="tl-show"><summary>{what}</summary>{shown}</details>'
