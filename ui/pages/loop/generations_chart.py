"""The loop on one line: the win rate of each generation, and below it what the votes were.

All text is escaped. A generation is a button: `picks.CHOOSE` hears its clicks and keys.
"""

from html import escape

from engine.core.rating import Verdict
from engine.services.loop.generations import Control, Generation, History
from ui.components import markup

LEFT, RIGHT, STEP = 64, 24, 132  # in units of the picture
TOP, HEIGHT = 36, 230  # of the win rates
BARS, BAR = 312, 96  # where the bars of votes begin, and how high they are
BOTTOM = 460
LETTERS = 16
PARTS = (
    ("wins", "W", "tl-part-win"),
    ("voted_ties", "T", "tl-part-tie"),
    ("identical", "S", "tl-part-tie"),
    ("both_bad", "BB", "tl-part-bad"),
    ("losses", "L", "tl-part-loss"),
)


def picture(seen: History, called: dict[str, str], chosen: str | None) -> str:
    """The line with a point for the baseline and one for each generation."""
    columns = 1 + len(seen.generations)
    width = max(520, LEFT + RIGHT + STEP * columns)
    parts = [_frame(width), _band(seen.control, width)]
    base = called.get(seen.baseline.id, seen.baseline.name) if seen.baseline else "baseline"
    parts.append(_baseline(base))
    parts += [_generation(each, seen, called, chosen) for each in seen.generations]
    return (
        f'<div class="tl-line"><svg viewBox="0 0 {width} {BOTTOM}" role="group" '
        f'aria-label="{escape(seen.sentence)}" style="max-width:{int(width * 1.35)}px;'
        f'min-width:{min(width, 520)}px">{"".join(parts)}</svg></div>{_legend(seen)}'
    )


def _legend(seen: History) -> str:
    """What the colours mean; that of the control only where one was made."""
    band = '<span><i class="tl-part-band"></i>a model against itself</span>' if seen.control else ""
    return (
        '<p class="tl-line-legend"><span><i class="tl-part-win"></i>wins</span>'
        '<span><i class="tl-part-tie"></i>ties (T), same answer (S)</span>'
        '<span><i class="tl-part-bad"></i>both bad</span>'
        f'<span><i class="tl-part-loss"></i>losses against the baseline</span>{band}</p>'
    )


def _y(rate: float) -> float:
    return TOP + HEIGHT * (1 - rate)


def _x(number: int) -> float:
    return LEFT + STEP * (number + 0.5)


def _frame(width: float) -> str:
    """The scale and the line of no difference."""
    rows = "".join(
        f'<line class="tl-axis" x1="{LEFT}" x2="{width - RIGHT}" y1="{_y(at):.1f}" '
        f'y2="{_y(at):.1f}"/><text class="tl-scale" x="{LEFT - 10}" y="{_y(at) + 5:.1f}">'
        f"{markup.percent(at)}</text>"
        for at in (0.0, 0.25, 0.75, 1.0)
    )
    return (
        f'{rows}<line class="tl-even" x1="{LEFT}" x2="{width - RIGHT}" y1="{_y(0.5)}" '
        f'y2="{_y(0.5)}"/><text class="tl-scale" x="{LEFT - 10}" y="{_y(0.5) + 5}">50 %</text>'
        f'<text class="tl-scale" x="{LEFT - 10}" y="{BARS + BAR / 2 + 5}">votes</text>'
    )


def _band(control: Control | None, width: float) -> str:
    """Where a model stands against itself: a rate in it is no difference."""
    if control is None:
        return ""
    low, high = _y(control.low), _y(control.high)
    return (
        f'<rect class="tl-band" x="{LEFT}" y="{high:.1f}" width="{width - LEFT - RIGHT}" '
        f'height="{low - high:.1f}"><title>A model against itself: {markup.percent(control.rate)} '
        f"({markup.percent(control.low)} to {markup.percent(control.high)})</title></rect>"
    )


def _baseline(name: str) -> str:
    x = _x(0)
    return (
        f'<g class="tl-base"><circle cx="{x}" cy="{_y(0.5)}" r="7"/>'
        f"{_label(x, 'Baseline', name)}</g>"
    )


def _generation(one: Generation, seen: History, called: dict[str, str], chosen: str | None) -> str:
    x, tested = _x(one.number), one.against_baseline
    verdict = tested.report.verdict if tested else None
    inside = _point(x, verdict) + _bar(x, verdict) if verdict and verdict.n else _missing(x, one)
    name = called.get(one.model.id, one.model.name)
    title = f"Generation {one.number}"
    best = one.model.id == seen.champion_id
    spoken = f"{title}{', the champion' if best else ''}. {one.sentence}"
    crown = f'<text class="tl-crown" x="{x}" y="{TOP - 16}">★ champion</text>' if best else ""
    return (
        f'<g class="tl-gen" role="button" tabindex="0" data-pick="{escape(one.model.id)}" '
        f'aria-pressed="{str(one.model.id == chosen).lower()}" aria-label="{escape(spoken)}">'
        f'<rect class="tl-hit" x="{x - STEP / 2 + 3}" y="3" width="{STEP - 6}" '
        f'height="{BOTTOM - 6}" rx="10"/>{crown}{inside}{_label(x, title, name)}'
        f"<title>{escape(one.sentence)}</title></g>"
    )


def _point(x: float, found: Verdict) -> str:
    y, low, high = _y(found.win_rate), _y(found.low), _y(found.high)
    tone = {"better": "tl-up", "worse": "tl-down"}.get(found.decision, "tl-level")
    caps = "".join(f'<line x1="{x - 7}" x2="{x + 7}" y1="{at:.1f}" y2="{at:.1f}"/>'
                   for at in (low, high))  # fmt: skip
    return (
        f'<g class="tl-rate {tone}"><line x1="{x}" x2="{x}" y1="{low:.1f}" y2="{high:.1f}"/>{caps}'
        f'<circle cx="{x}" cy="{y:.1f}" r="7"/>'
        f'<text x="{x + 13}" y="{y + 5:.1f}">{markup.percent(found.win_rate)}</text></g>'
    )


def _bar(x: float, found: Verdict) -> str:
    """Wins on top, losses at the bottom: as high as their share of the votes."""
    at, parts = float(BARS), []
    for field, letter, kind in PARTS:
        number = getattr(found, field)
        height = BAR * number / found.n
        if number:
            parts.append(
                f'<rect class="{kind}" x="{x - 26}" y="{at:.1f}" width="52" '
                f'height="{max(1.0, height - 1):.1f}"><title>{letter} {number}</title></rect>'
            )
        if height >= 13:
            parts.append(
                f'<text class="tl-count" x="{x}" y="{at + height / 2 + 4:.1f}">'
                f"{letter} {number}</text>"
            )
        at += height
    return "".join(parts)


def _missing(x: float, one: Generation) -> str:
    """Why there is no rate yet, in a word."""
    regressed = any(each.regressed for each in one.regression_checks)
    words = "being rated" if one.waiting else "held back" if regressed else "not tested"
    return (
        f'<circle class="tl-open" cx="{x}" cy="{_y(0.5)}" r="7"/>'
        f'<text class="tl-why" x="{x}" y="{_y(0.5) - 16}">{words}</text>'
    )


def _label(x: float, title: str, name: str) -> str:
    short = name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…"
    return (
        f'<text class="tl-name" x="{x}" y="{BARS + BAR + 22}">{escape(title)}</text>'
        f'<text class="tl-sub" x="{x}" y="{BARS + BAR + 40}">{escape(short)}</text>'
    )
