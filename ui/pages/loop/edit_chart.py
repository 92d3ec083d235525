"""What it still costs to use the answers: a bar for each round, with its interval."""

from collections.abc import Mapping, Sequence
from html import escape

from engine.services.loop.edit_cost import EditCost
from ui.components import markup, names

ABOUT = (
    "How many of an answer's characters raters change on average before they would use it; an "
    "answer that they accept as it is costs nothing. The thin line is the 95 % interval."
)


def picture(found: Sequence[EditCost], called: Mapping[str, str]) -> str:
    """The rounds from the oldest to the newest; nothing where nobody improved an answer."""
    if not found:
        return ""
    rows = "".join(_row(one, called.get(one.model_id, names.GONE)) for one in found)
    head = markup.part("What the answers still cost", ABOUT)
    return f'{head}<dl class="tl-edits">{rows}</dl>'


def _row(one: EditCost, name: str) -> str:
    at, low, high = (f"{100 * each:.1f}%" for each in (one.share, one.low, one.high))
    bounds = f"{markup.percent(one.low)} to {markup.percent(one.high)}"
    size = f"{one.improved} improved, {one.accepted} accepted as they were"
    return (
        f"<div><dt><b>{escape(one.round_name)}</b><span>{escape(name)}</span></dt><dd>"
        f'<span class="tl-edit-bar" aria-hidden="true"><i style="width:{at}"></i>'
        f'<u style="left:{low};right:calc(100% - {high})"></u></span>'
        f"<b>{markup.percent(one.share)}</b> <span>{bounds}; {size}</span></dd></div>"
    )
