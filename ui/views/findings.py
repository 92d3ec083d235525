"""What the checks found in a file, as HTML: how grave, where, and what to do."""

from collections.abc import Sequence
from html import escape

from engine.core.errors import UserError
from engine.core.finding import Finding, Severity
from engine.services.look import Checked
from ui import kit, words

GRAVITY: dict[Severity, tuple[str, kit.Tone]] = {
    "error": ("mend this", "bad"),
    "warning": ("look at this", "warn"),
    "info": ("good to know", "neutral"),
}
ROWS_NAMED = 5
LONG = 200  # characters: a fix that lists every layout is shown as the table instead


def report(found: Checked) -> str:
    """What a file holds: its layout, its rows, the split it would get, and the findings."""
    kind, use = words.KINDS[found.kind]
    numbers = [
        kit.stat("Rows", f"{found.rows:,}"),
        kit.stat(words.use(found.kind).capitalize(), f"{found.train_rows:,}"),
        kit.stat("Held out", f"{found.held_out_rows:,}"),
    ]
    return (
        f'<div class="tl-found"><h3>{escape(kind)}</h3><p>Layout: <b>'
        f"{escape(words.layout(found.layout))}</b>. {escape(use[0].upper() + use[1:])}.</p></div>"
        + kit.stats(numbers)
        + (kit.notice(found.refusal, "bad") if found.refusal else "")
        + listed(found.findings)
    )


def listed(found: Sequence[Finding]) -> str:
    """The findings, gravest first; a good word where there are none."""
    if not found:
        return kit.notice("The checks found nothing to mend.", "good")
    return f'<ul class="tl-findings">{"".join(map(_finding, found))}</ul>'


def summary(found: Sequence[Finding]) -> str:
    """One badge for all findings of a version."""
    errors = sum(each.severity == "error" for each in found)
    warnings = sum(each.severity == "warning" for each in found)
    if errors:
        return kit.badge(f"{errors} to mend", "bad")
    if warnings:
        return kit.badge(f"{warnings} to look at", "warn")
    return kit.badge("checks passed", "good")


def refused(error: UserError) -> str:
    """Why a file cannot be used, and what it may look like instead."""
    fix = error.fix if len(error.fix) < LONG else error.fix.partition(":")[0] + ", listed below."
    return kit.notice(f"{error.problem} {fix}", "bad") + layouts()


def guide() -> str:
    """What to drop, before anything is dropped."""
    return (
        '<div class="tl-found"><h3>What a file may hold</h3><p>The layout is found by itself from '
        "the names of the columns. A hundred good rows are a start.</p></div>" + layouts()
    )


def layouts() -> str:
    """The known layouts and their columns."""
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(shape)}</dd></div>"
        for _, name, shape in words.layouts()
    )
    return f'<dl class="tl-layouts">{rows}</dl>'


def _finding(one: Finding) -> str:
    word, tone = GRAVITY[one.severity]
    named = ", ".join(f"{row:,}" for row in one.rows[:ROWS_NAMED])
    more = ", …" if one.count > ROWS_NAMED else ""
    where = f'<span class="tl-where">Row {named}{more}</span>' if named else ""
    return (
        f"<li>{kit.badge(word, tone)}<div><p>{escape(one.message)} {where}</p>"
        f'<p class="tl-fix">{escape(one.fix)}</p></div></li>'
    )
