"""What to know before a score is believed: questions seen in training, and what fell; as HTML."""

from html import escape

from engine.core.evaluation import Evaluation, Overlap, Watched
from engine.services.evaluation import truncation
from ui.components import markup
from ui.pages.evaluation.render import Names, nothing_fell

MOST_ROWS = 10  # row numbers named


def panel(found: Evaluation, names: Names) -> str:
    """Notices for what fell and for learned questions; one good line where nothing did."""
    fell = [watched for watched in found.guard if watched.fell]
    said = [markup.notice(_fell(one, names), "bad") for one in fell]
    if found.guard and not fell:
        said.append(markup.notice(f"{nothing_fell(found.guard)}.", "good"))
    said += [_seen(found.overlap)] if found.overlap else []
    said += [markup.notice(text, "warn") for text in truncation.said(found, names)]
    watched = "".join(_line(one, names) for one in found.guard)
    details = f"<details><summary>All that was watched</summary><ul>{watched}</ul></details>"
    return "".join(said) + (f'<div class="tl-watched">{details}</div>' if watched else "")


def _fell(one: Watched, names: Names) -> str:
    before = names.get(one.compared_with, one.compared_with)
    return f"{names.get(one.model, one.model)} fell behind {before}. {one.message}"


def _line(one: Watched, names: Names) -> str:
    badge = markup.badge("fell", "bad") if one.fell else markup.badge("holds", "good")
    return f"<li>{badge} <b>{escape(names.get(one.model, ''))}</b> {escape(one.message)}</li>"


def _seen(overlap: Overlap) -> str:
    text = overlap.message[:1].upper() + overlap.message[1:]
    rows = (*overlap.rows, *overlap.near)
    if not rows:
        return markup.notice(text, "good")
    named = ", ".join(map(str, rows[:MOST_ROWS])) + (" …" if len(rows) > MOST_ROWS else "")
    return markup.notice(f"{text} Rows: {named}.", "warn")
