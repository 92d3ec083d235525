"""What the shell hands to each tab."""

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency


class Page(NamedTuple):
    """`project` holds a project id or None; `ready` is over when the page knows its project.

    `live` collects the id of a tab and the timer that is to run only while it is selected.
    """

    project: gr.Dropdown
    tabs: gr.Tabs
    tab: gr.Tab
    demo: gr.Blocks
    ready: Dependency
    live: list[tuple[str, gr.Timer]]
