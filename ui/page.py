"""What the shell hands to each tab."""

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency


class Aim(NamedTuple):
    """What a button on one tab wants another tab to show when it opens; then it is forgotten."""

    method: str = ""  # on Train: how to teach
    dataset: str = ""  # on Train: what to learn from
    run: str = ""  # on Runs: the id of a job


class Page(NamedTuple):
    """`project` holds a project id or None; `ready` is over when the page knows its project.

    `live` collects the id of a tab and the timer that is to run only while it is selected. `aim`
    holds an Aim: who sets it selects the tab in the same event, and that tab empties it.
    """

    project: gr.Dropdown
    tabs: gr.Tabs
    tab: gr.Tab
    demo: gr.Blocks
    ready: Dependency
    live: list[tuple[str, gr.Timer]]
    aim: gr.State
