"""How a page stays current without drawing twice: shared by every page that polls.

A page keeps one frozen `Drawn` (or a subclass with its own fields) for each browser session in a
`gr.State`, and one `Refresher` for everybody. The refresher holds no state of a user.
How often a page polls: `markup.live`, and ui/static/poll_pace.js while nothing happens.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

import gradio as gr

from engine.core.job import Job
from engine.workspace import Workspace
from ui.components import event_cursor
from ui.components.event_cursor import Track

Update = Callable[[Any], Any]  # from the new value of a part to Gradio's update of it


@dataclass(frozen=True)
class Drawn:
    """What one browser session shows: a hash for each part, and how far each job was read.

    `revision` is what the values were computed from; a poll that finds the same one reads nothing
    more. The values themselves are not kept, so a session takes a few kilobytes.
    """

    # no part of the hash, which Gradio takes of a state that something follows
    marks: Mapping[str, int] = field(default_factory=dict, hash=False)
    tracks: Mapping[str, Track] = field(default_factory=dict, hash=False)
    revision: Hashable = None

    def shows(self, name: str, value: Any) -> bool:
        """Whether the part was last drawn with this value."""
        return self.marks.get(name) == mark(value)

    def without(self, *names: str) -> Self:
        """The view that does not show these parts yet: they are drawn next, whatever they hold."""
        kept = {name: value for name, value in self.marks.items() if name not in names}
        return replace(self, marks=kept)

    def track(self, job_id: str | None) -> Track:
        """The events of a job that were read so far."""
        return self.tracks.get(job_id or "", Track())


View = TypeVar("View", bound=Drawn)


class Refresher(Generic[View]):
    """Turns the current values of a page's parts into updates of those that changed.

    `parts` are names in the order of the handler's outputs, after the view. `updates` maps the
    name of a part to the function that makes its update; a part without one takes the value.
    """

    def __init__(self, parts: Collection[str], updates: Mapping[str, Update]) -> None:
        unknown = set(updates) - set(parts)
        if unknown:
            raise ValueError(f"no such part: {', '.join(sorted(unknown))}")
        self._parts = tuple(parts)
        self._updates = dict(updates)

    def changed(
        self, view: View, values: Mapping[str, Any], updates: Mapping[str, Update] | None = None
    ) -> list[Any]:
        """The view after drawing `values`, then an update or `gr.skip()` for every part.

        A part that `values` does not name stays as it is. A name in `values` that is no part is
        only remembered, for `Drawn.shows`. `updates` replaces functions for this call.
        """
        fresh = {name: mark(value) for name, value in values.items()}
        new = {name for name, now in fresh.items() if view.marks.get(name) != now}
        make = {**self._updates, **(updates or {})}
        drawn = replace(view, marks={**view.marks, **fresh}) if new else view
        return [drawn, *(self._update(name, values, new, make) for name in self._parts)]

    def unchanged(self, view: View | None = None) -> list[Any]:
        """`gr.skip()` for every part; the view is stored again where one is given."""
        kept = gr.skip() if view is None else view
        return [kept, *(gr.skip() for _ in self._parts)]

    def _update(
        self, name: str, values: Mapping[str, Any], new: set[str], make: Mapping[str, Update]
    ) -> Any:
        if name not in new:
            return gr.skip()
        return make[name](values[name]) if name in make else values[name]


def mark(value: Any) -> int:
    """A 64-bit hash of a value as it prints, valid in this process alone."""
    return hash(value if isinstance(value, str) else repr(value))


def reading(ws: Workspace, view: View, jobs: Iterable[Job], kept: Iterable[Job] = ()) -> View:
    """The view with the events of `jobs` read to their end, each from where the last read ended.

    What was read of `kept` stays as it is; every other job is forgotten.
    """
    tracks = {job.id: view.tracks[job.id] for job in kept if job.id in view.tracks}
    tracks |= {job.id: event_cursor.follow(ws, job, view.track(job.id)) for job in jobs}
    return view if tracks == view.tracks else replace(view, tracks=tracks)


def shown(kind: Callable[..., Any]) -> Update:
    """An update that shows or hides a component of this kind."""
    return lambda visible: kind(visible=visible)


def text_or_hidden(text: str) -> Any:
    """The HTML, hidden while it is empty: an empty block still takes its place in a column."""
    return gr.HTML(text, visible=bool(text))
