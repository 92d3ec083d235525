"""The fixes that can be ticked, and a preview of what they change, as HTML."""

from collections.abc import Sequence
from html import escape
from typing import Any

from engine.core.finding import Finding
from engine.services.data import cleaning
from engine.services.data.cleaning import Change, Sample
from ui.components import markup
from ui.pages.data import row_view

SHORT = 80  # characters of a text in the name of a fix
ASK = "Tick a fix to preview its changes. The uploaded file is kept unchanged as a version."


def choices(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """The fixes of these findings, each once: words with the number of rows, and its name."""
    does = {fix.name: fix.does.rstrip(".") for fix in cleaning.fixes()}
    counts: dict[str, int] = {}
    for one in found:
        if one.fix_id in does:
            counts[one.fix_id] = counts.get(one.fix_id, 0) + one.count
    return [(f"{does[name]} ({count:,})", name) for name, count in counts.items()]


def chosen(values: Any) -> list[str]:
    """What came from the browser as names of fixes."""
    return [str(each) for each in values[:50]] if isinstance(values, list) else []


def title(name: str) -> str:
    """A fix as a version names it: its words, and the text that it was made with."""
    family, separator, text = name.partition(":")
    words = family.replace("_", " ")
    return f"{words} “{text[:SHORT]}{'…' * (len(text) > SHORT)}”" if separator else words


def change(found: Change) -> str:
    """What the ticked fixes would do, with the first rows that they touch."""
    if not found.removed and not found.changed:
        return markup.notice("These fixes change nothing here.", "neutral")
    shown = "".join(map(_sample, found.samples))
    return (
        markup.notice(sentence(found), "neutral" if found.rows_after else "bad")
        + f'<details class="tl-show"><summary>Show what changes</summary>{shown}</details>'
    )


def sentence(found: Change) -> str:
    """The change in a sentence."""
    parts = []
    if found.removed:
        parts.append(f"removes {_rows(found.removed)}")
    if found.changed:
        parts.append(f"changes {_rows(found.changed)}")
    return f"This {' and '.join(parts)}: {found.rows_before:,} become {found.rows_after:,}."


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _sample(one: Sample) -> str:
    if one.after is None:
        return f"<small>Row {one.row:,}, removed</small><del>{row_view.line(one.before)}</del>"
    return (
        f"<small>Row {one.row:,}, before</small><del>{row_view.line(one.before)}</del>"
        f"<small>after</small>{row_view.line(one.after)}"
    )


def hint(found: Sequence[tuple[str, str]]) -> str:
    """What to do with the ticks, where there are any."""
    return f'<p class="tl-hint">{escape(ASK)}</p>' if found else ""
