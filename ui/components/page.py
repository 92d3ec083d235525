"""What the shell hands to each tab."""

from typing import Any, Literal, NamedTuple

import gradio as gr
from gradio.events import Dependency

from engine.core.errors import UserError
from engine.core.rating import Purpose

PageName = Literal[
    "home",
    "data",
    "training",
    "jobs",
    "evaluation",
    "rating",
    "loop",
    "playground",
    "models",
]


class NavigationTarget(NamedTuple):
    """What a button on one tab wants another tab to show when it opens; then it is forgotten."""

    method: str = ""  # on Training: how to teach
    dataset: str = ""  # on Training: what to learn from
    run: str = ""  # on Jobs: the id of a job
    evaluation: str = ""  # on Evaluation: its id
    round: str = ""  # on Rating: its id
    purpose: Purpose | None = None  # on Rating: what a new round is for, where none is under way


class Page(NamedTuple):
    """`project` holds a project id or None; `ready` is over when the page knows its project.

    `live` collects the id of a tab and the timer that is to run only while it is selected.
    `target` holds a NavigationTarget: who sets it selects the tab in the same event, and that tab
    empties it. `turn` changes when the project does while this tab is selected; the other tabs
    refresh when they open.
    `changed` takes (a tab, a time) from the tab that changed what others show: somebody may have
    gone on to one of them before the work was done.
    """

    project: gr.Dropdown
    tabs: gr.Tabs
    tab: gr.Tab
    demo: gr.Blocks
    ready: Dependency
    live: list[tuple[str, gr.Timer]]
    target: gr.State
    turn: gr.State
    changed: gr.State

    @property
    def shown(self) -> list[Any]:
        """What it takes for this tab to look again: it was opened, or is open on a new project."""
        return [self.tab.select, self.turn.change]


def opened(project: str | None) -> str:
    """The id of the open project; UserError where none is open."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    return project
