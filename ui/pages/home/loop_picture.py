"""The loop as a picture: eight stations on a ring, and on a narrow screen one below the other.

Each state has its own shape, colour and words, so that no one of them has to be seen. Names come
from people and models: all of it is escaped, and cut where it would run out of the picture.
"""

from collections.abc import Iterable, Mapping
from html import escape
from math import cos, pi, sin
from typing import NamedTuple

from engine.core.project import Step, StepName, StepState
from ui.components.loop_words import TITLES, result

WORDS: dict[StepState, str] = {
    "done": "done",
    "running": "running now",
    "next": "next",
    "todo": "to do",
}
MARKS: dict[StepState, str] = {
    "done": '<path class="tl-tick" d="M-6.5 0.5 -2 5 6.5 -4.5"/>',
    "running": '<circle class="tl-spin" r="17"/><circle class="tl-core" r="5"/>',
    "next": '<circle class="tl-halo" r="25"/><path class="tl-tick" d="M-6 0H6M1.5-5 6.5 0 1.5 5"/>',
    "todo": "",
}
WIDTH, HEIGHT, RADIUS = 660, 440, 148  # of the ring's picture, in its own units
GAP = 0.17  # radians kept free on each side of a station
STEP_HEIGHT, TALL_WIDTH = 62, 340
LONGEST = {"ring": 19, "tall": 32}  # letters of a detail


class Station(NamedTuple):
    """A step as it is drawn: its title, and below it a result or a state."""

    name: StepName
    state: StepState
    title: str
    detail: str


def stations(steps: Iterable[Step], otherwise: Mapping[StepName, str]) -> tuple[Station, ...]:
    """The steps in words; `otherwise` stands where a step has no result, in place of its state."""
    return tuple(
        Station(
            step.name,
            step.state,
            TITLES[step.name],
            result(step) or otherwise.get(step.name) or WORDS[step.state],
        )
        for step in steps
    )


def picture(steps: Iterable[Step], otherwise: Mapping[StepName, str] | None = None) -> str:
    """Both pictures; the style sheet shows the one that fits."""
    drawn = stations(steps, otherwise or {})
    done = sum(station.state == "done" for station in drawn)
    spoken = "; ".join(f"{station.title}: {station.detail}" for station in drawn)
    about = f'role="img" aria-label="{escape(f"The loop. {spoken}")}"'
    return (
        f'<div class="tl-loop"><svg class="tl-ring" viewBox="0 0 {WIDTH} {HEIGHT}" {about}>'
        f"{_ring(drawn, done)}</svg>"
        f'<svg class="tl-tall" viewBox="0 0 {TALL_WIDTH} {STEP_HEIGHT * len(drawn)}" '
        f"{about}>{_tall(drawn)}</svg></div>"
    )


def _ring(steps: tuple[Station, ...], done: int) -> str:
    parts = [_arc(n, step) for n, step in enumerate(steps)]
    for n, step in enumerate(steps):
        x, y = _at(_angle(n))
        parts.append(f'<g data-step="{step.name}" class="tl-station tl-{step.state}">')
        parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{_mark(n, step)}</g>')
        parts.append(f"{_label(n, step)}</g>")
    middle = _middle(done, len(steps))
    cx, cy = WIDTH / 2, HEIGHT / 2
    parts.append(f'<text class="tl-middle" x="{cx}" y="{cy + 6}">{middle[0]}</text>')
    parts.append(f'<text class="tl-under" x="{cx}" y="{cy + 30}">{middle[1]}</text>')
    return "".join(parts)


def _middle(done: int, steps: int) -> tuple[str, str]:
    """The large words in the ring, and the small ones below them."""
    if done == 0:
        return f"{steps} steps", "make one round"
    return ("Closed", "go round again") if done == steps else (f"{done} of {steps}", "steps done")


def _angle(n: float) -> float:
    """The first station is at the top, the others follow clockwise."""
    return n * pi / 4 - pi / 2


def _at(angle: float, radius: float = RADIUS) -> tuple[float, float]:
    return WIDTH / 2 + radius * cos(angle), HEIGHT / 2 + radius * sin(angle)


def _arc(n: int, step: Station) -> str:
    """The way from a station to the one after it, with a small arrow at its middle."""
    (x1, y1), (x2, y2) = _at(_angle(n) + GAP), _at(_angle(n + 1) - GAP)
    middle = _angle(n + 0.5)
    x, y = _at(middle)
    turn = middle * 180 / pi + 90
    gone = "tl-way-done" if step.state == "done" else "tl-way"
    return (
        f'<path class="{gone}" d="M{x1:.1f} {y1:.1f}A{RADIUS} {RADIUS} 0 0 1 {x2:.1f} {y2:.1f}"/>'
        f'<path class="{gone} tl-arrow" transform="translate({x:.1f} {y:.1f}) rotate({turn:.0f})" '
        f'd="M-3-5 3 0-3 5"/>'
    )


def _mark(n: int, step: Station) -> str:
    number = f'<text class="tl-number" y="4.5">{n + 1}</text>' if step.state == "todo" else ""
    return f'<circle class="tl-disc" r="17"/>{MARKS[step.state]}{number}'


def _label(n: int, step: Station) -> str:
    """Title and detail, outside the ring: above, below, or to the side where there is room."""
    x, y = _at(_angle(n), RADIUS + (33 if n % 4 == 0 else 38))
    side = cos(_angle(n))
    anchor = "middle" if abs(side) < 0.1 else "start" if side > 0 else "end"
    y += {0: -12, 4: 8}.get(n, -2)
    return _words(step, x, y, anchor, LONGEST["ring"])


def _words(step: Station, x: float, y: float, anchor: str, longest: int) -> str:
    return (
        f'<text class="tl-name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(step.title)}</text>"
        f'<text class="tl-detail" x="{x:.1f}" y="{y + 18:.1f}" text-anchor="{anchor}">'
        f"{escape(_cut(step.detail, longest))}</text>"
        f"<title>{escape(f'{step.title}: {step.detail}')}</title>"
    )


def _tall(steps: tuple[Station, ...]) -> str:
    """One below the other, and a way back up: it is a loop on a phone too."""
    x, last = 30, len(steps) - 1
    parts = []
    for n, step in enumerate(steps):
        y = STEP_HEIGHT * n + STEP_HEIGHT / 2
        if n < last:
            gone = "tl-way-done" if step.state == "done" else "tl-way"
            parts.append(f'<path class="{gone}" d="M{x} {y + 23}V{y + STEP_HEIGHT - 23}"/>')
        parts.append(f'<g data-step="{step.name}" class="tl-station tl-{step.state}">')
        parts.append(f'<g transform="translate({x} {y})">{_mark(n, step)}</g>')
        parts.append(f"{_words(step, x + 36, y - 2, 'start', LONGEST['tall'])}</g>")
    top, bottom = STEP_HEIGHT / 2, STEP_HEIGHT * last + STEP_HEIGHT / 2
    right = TALL_WIDTH - 12
    parts.append(
        f'<path class="tl-way" d="M{right - 20} {bottom}h6a14 14 0 0 0 14-14V{top + 14}'
        f'a14 14 0 0 0-14-14h-6"/><path class="tl-way tl-arrow" '
        f'd="M{right - 14} {top - 6}l-6 6 6 6"/>'
    )
    return "".join(parts)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
