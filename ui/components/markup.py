"""Pieces of every page: escaped HTML strings; times, durations, percents in words; wiring."""

import math
import time
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Literal, TypedDict

import gradio as gr
from gradio.events import Dependency

from ui.components.page import Page, PageName

Tone = Literal["neutral", "good", "warn", "bad", "busy"]


class EventOptions(TypedDict, total=False):
    """How Gradio runs a handler: the keywords of its events that pages set."""

    api_visibility: Literal["private"]
    show_progress: Literal["hidden"]
    show_progress_on: list[gr.components.Component]
    preprocess: bool
    queue: bool
    trigger_mode: Literal["always_last"]


# Each change of an event's progress goes to every component that any event so far could show it
# on, and Gradio's page looks for each of them in its whole tree: 443 at a time, 125,000 while this
# page opened. An event that shows nothing names no component.
QUIET: EventOptions = {
    "api_visibility": "private", "show_progress": "hidden", "show_progress_on": [],
}  # fmt: skip
# A dropdown refuses what is not among the choices of this moment, and another look may just have
# changed them; what takes the values checks every one itself.
RAW: EventOptions = {**QUIET, "preprocess": False}
FIRST_TAB: PageName = "home"  # selected when the page opens
WIDEST = 5  # tiles in a row
MINUTE, HOUR, DAY = 60, 3600, 86400
OPEN_SIGN = '<path d="M12 21a9 9 0 1 1 9-9"/><path d="M17.5 8.5 21 12l3.4-3.4"/>'


def head(title: str, text: str) -> str:
    """The top of a page: what it is, and in a sentence what it is for."""
    return f'<header class="tl-head"><h2>{escape(title)}</h2><p>{escape(text)}</p></header>'


def part(title: str, text: str = "") -> str:
    """The head of a part of a page."""
    under = f"<p>{escape(text)}</p>" if text else ""
    return f'<div class="tl-part"><h3>{escape(title)}</h3>{under}</div>'


def empty(title: str, text: str) -> str:
    """A page that holds nothing yet: what is missing and what to do about it."""
    sign = f'<svg viewBox="0 0 26 24" aria-hidden="true">{OPEN_SIGN}</svg>'
    return f'<div class="tl-empty">{sign}<h3>{escape(title)}</h3><p>{escape(text)}</p></div>'


def badge(text: str, tone: Tone = "neutral") -> str:
    """A state in a word or two; the dot before it has a shape of its own for each tone."""
    return f'<span class="tl-badge tl-{tone}"><i></i>{escape(text)}</span>'


def progress(done: float, total: float, label: str, eta_s: float | None = None) -> str:
    """A bar with the label and, where known, the time left."""
    share = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
    left = f"about {duration(eta_s)} left" if eta_s is not None else ""
    return (
        '<div class="tl-progress"><div class="tl-progress-words">'
        f"<span>{escape(label)}</span><span>{left}</span><b>{percent(share)}</b></div>"
        f'<div class="tl-bar" role="progressbar" aria-label="{escape(label)}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{share * 100:.0f}">'
        f'<i style="width:{share * 100:.1f}%"></i></div></div>'
    )


def stat(label: str, value: str, note: str = "") -> str:
    """One number with its name above and a note below."""
    below = f'<span class="tl-stat-note">{escape(note)}</span>' if note else ""
    return (
        f'<div class="tl-stat"><span class="tl-stat-label">{escape(label)}</span>'
        f'<span class="tl-stat-value">{escape(value)}</span>{below}</div>'
    )


def stats(found: Sequence[str]) -> str:
    """Several `stat`s side by side, in rows of about equal length; they wrap on a phone."""
    rows = math.ceil(len(found) / WIDEST)
    columns = math.ceil(len(found) / max(1, rows))
    return f'<div class="tl-stats" style="--tl-columns:{columns}">{"".join(found)}</div>'


def notice(text: str, tone: Tone = "neutral", command: str = "") -> str:
    """A sentence that wants to be noticed, and the command that it ends with."""
    role = "alert" if tone == "bad" else "status"
    shown = f" <code>{escape(command)}</code>" if command else ""
    words = f"<p>{escape(text)}{shown}</p>"
    return f'<div class="tl-notice tl-{tone}" role="{role}"><i></i>{words}</div>'


def percent(share: float) -> str:
    """A share from 0 to 1 as the sentences say it: "55 %"."""
    return f"{100 * share:.0f} %"


def tight(sentence: str) -> str:
    """The sentence, in which no line ends between a number and its percent sign."""
    return sentence.replace(" %", "\u00a0%")


def when(epoch: float) -> str:
    """A moment in the server's time zone: "today 14:02", "24 Nov 14:02", "24 Nov 2025"."""
    moment, today = time.localtime(epoch), time.localtime()
    if moment[:3] == today[:3]:
        return time.strftime("today %H:%M", moment)
    day = f"{moment.tm_mday} {time.strftime('%b', moment)}"
    if moment.tm_year == today.tm_year:
        return f"{day} {time.strftime('%H:%M', moment)}"
    return f"{day} {moment.tm_year}"


def duration(s: float) -> str:
    """Seconds as people say them: "45 s", "3 min 20 s", "1 h 5 min", "2 days"."""
    whole = max(0, round(s))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two(whole, MINUTE, "min", 1, "s")
    if whole < 2 * DAY:
        return _two(whole, HOUR, "h", MINUTE, "min")
    return f"{whole // DAY} days"


def _two(whole: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = whole % big // small
    return f"{whole // big} {big_name}" + (f" {rest} {small_name}" if rest else "")


def on_show(
    page: Page,
    refresh: Callable[..., Any],
    inputs: Any,
    outputs: Any,
    how: EventOptions = QUIET,
) -> Dependency:
    """Run `refresh` when the tab is opened and when the project changes; that event.

    A project that comes while the page is still being drawn for another, or for none, draws it
    again: by itself Gradio leaves out what is asked for while the same event runs.
    """
    shown = gr.on(page.shown, refresh, inputs, outputs, trigger_mode="always_last", **how)
    if page.tab.id == FIRST_TAB:
        page.ready.then(refresh, inputs, outputs, **how)
    return shown


def live(
    page: Page,
    refresh: Callable[..., Any],
    inputs: Any,
    outputs: Any,
    every: float = 2.0,
    how: EventOptions = QUIET,
) -> gr.Timer:
    """Run `refresh` each `every` seconds while the tab is selected, and only then."""
    name = str(page.tab.id)
    timer = gr.Timer(every, active=name == FIRST_TAB)
    page.live.append((name, timer))
    timer.tick(refresh, inputs, outputs, concurrency_limit=None, **how)
    return timer


def goto(button: gr.Button, page: Page, tab: PageName) -> gr.Button:
    """The button, which now opens another page."""
    button.click(lambda: gr.Tabs(selected=tab), None, page.tabs, queue=False, **QUIET)
    return button
