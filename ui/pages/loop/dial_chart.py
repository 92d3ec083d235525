"""The strength dial of a generation: what each strength gains above, what it costs below.

All text is escaped.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from engine.core.job_result import DialResult, DialStop
from engine.core.strength import MOST_LOST
from engine.services.evaluation.metrics import title
from ui.components import markup

WIDTH, LEFT, RIGHT = 640, 76, 28
GAIN, COST, HEIGHT = 44, 214, 120  # where both pictures begin, and how high they are
BOTTOM = COST + HEIGHT + 44


def picture(found: DialResult) -> str:
    """Margin and score against the strength, the recommended one marked, and the numbers."""
    stops = found.stops
    scored = _Scale(0.0, 1.25 * max(one.metric for one in stops), COST)
    margins = [one.margin or 0.0 for one in stops]
    gained = _Scale(min(margins), max(margins), GAIN)
    lost = stops[0].metric - MOST_LOST
    parts = [
        _mark(found),
        _head(GAIN, _margin_words(found)),
        _line(stops, margins, gained, "tl-dial-gain") if found.pairs else "",
        _head(COST, f"{title(found.metric)} on {found.questions} questions of no blind round"),
        _least(scored.y(lost), lost) if lost > 0 else "",
        _line(stops, [one.metric for one in stops], scored, "tl-dial-cost"),
        *(_tick(one.strength, stops) for one in stops),
    ]
    return (
        f'<div class="tl-line tl-dial"><svg viewBox="0 0 {WIDTH} {BOTTOM}" role="img" '
        f'aria-label="{escape(found.sentence)}" style="max-width:{WIDTH}px;'
        f'min-width:520px">{"".join(parts)}</svg></div>{_table(found)}'
    )


def _margin_words(found: DialResult) -> str:
    if not found.pairs:
        return "No preference pairs, so no margin"
    side = "held-out pairs" if found.pairs_held_out else "pairs that it learned"
    return f"Preference margin on {found.pairs} {side}"


def _x(strength: float, stops: Sequence[DialStop]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * strength / stops[-1].strength


class _Scale(NamedTuple):
    """From values to heights in the picture that begins at `top`."""

    low: float
    high: float
    top: int

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.top + 8 + (HEIGHT - 16) * (1 - share)


def _head(top: int, text: str) -> str:
    return (
        f'<text class="tl-dial-head" x="{LEFT}" y="{top - 10}">{escape(text)}</text>'
        f'<line class="tl-axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{top + HEIGHT}" '
        f'y2="{top + HEIGHT}"/>'
    )


def _least(y: float, value: float) -> str:
    """The line that the score must not fall below."""
    return (
        f'<line class="tl-even" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tl-scale" x="{LEFT - 10}" y="{y + 5:.1f}">{value:.2f}</text>'
    )


def _line(stops: Sequence[DialStop], values: Sequence[float], scale: _Scale, name: str) -> str:
    every = zip(stops, values, strict=True)
    at = [(_x(one.strength, stops), scale.y(value)) for one, value in every]
    path = " ".join(f"{x:.1f},{height:.1f}" for x, height in at)
    dots = "".join(
        f'<circle class="{"" if one.kept else "tl-dial-lost"}" cx="{x:.1f}" cy="{height:.1f}" '
        f'r="6"/><text class="tl-dial-value" x="{x:.1f}" y="{height - 11:.1f}">{value:.2f}</text>'
        for one, value, (x, height) in zip(stops, values, at, strict=True)
    )
    return f'<g class="{name}"><polyline points="{path}"/>{dots}</g>'


def _mark(found: DialResult) -> str:
    """A band behind the recommended strength."""
    x = _x(found.recommended, found.stops)
    return (
        f'<line class="tl-dial-best" x1="{x:.1f}" x2="{x:.1f}" y1="{GAIN}" y2="{COST + HEIGHT}"/>'
    )


def _tick(strength: float, stops: Sequence[DialStop]) -> str:
    words = {0.0: "0 (start)", 1.0: "1 (trained)"}.get(strength, f"{strength:g}")
    return (
        f'<text class="tl-sub" x="{_x(strength, stops):.1f}" y="{COST + HEIGHT + 24}">'
        f"{words}</text>"
    )


def _table(found: DialResult) -> str:
    """The numbers of each strength, and why one is not kept."""
    heads = ("strength", "margin", title(found.metric), "tokens", "perplexity", "")
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    rows = "".join(f"<tr>{_cells(one)}</tr>" for one in found.stops)
    return (
        '<details class="tl-dial-numbers"><summary>Numbers of each strength</summary>'
        f'<div class="tl-scroll"><table class="tl-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _cells(one: DialStop) -> str:
    if one.recommended:
        words = markup.badge("recommended", "good")
    elif one.kept:
        words = ""
    else:
        words = markup.badge("loss shown", "warn") + f" {escape(' '.join(one.reasons))}"
    values = (
        f"{one.strength:g}",
        "–" if one.margin is None else f"{one.margin:.3f}",
        f"{one.metric:.3f}",
        f"{one.length:.1f}",
        "–" if one.perplexity is None else f"{one.perplexity:.2f}",
    )
    return "".join(f"<td>{each}</td>" for each in values) + f"<td>{words}</td>"
