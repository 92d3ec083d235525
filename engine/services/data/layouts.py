"""The file layouts that can be read, by the titles that their plug-ins carry."""

from typing import NamedTuple

from engine import plugins
from engine.formats.read import MAPPED

MAPPED_TITLE = "Columns named by hand"


class Layout(NamedTuple):
    """`summary` lists the columns that the layout reads."""

    name: str
    title: str
    summary: str


def known() -> list[Layout]:
    """Every layout, the built-in ones first."""
    return [_layout(name) for name in plugins.names("formats")]


def title(name: str) -> str:
    """The title of a layout; its own name where the plug-in that read a file is gone."""
    if name == MAPPED:
        return MAPPED_TITLE
    return _layout(name).title if name in plugins.names("formats") else name


def _layout(name: str) -> Layout:
    module = plugins.load("formats", name)
    return Layout(name, module.TITLE, module.SUMMARY)
