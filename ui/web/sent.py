"""What a browser sends, looked at before it is used: a page sends only what its parts can hold."""

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr

from engine.core.errors import UserError

NUMBERS = (int, float)
HOLDS: dict[type, tuple[type, ...]] = {
    gr.Number: NUMBERS,
    gr.Checkbox: (bool,),
    gr.Textbox: (str,),
    gr.Code: (str,),
    gr.File: (str, list),
    gr.UploadButton: (str, list),
}
NOT_OF_THE_PAGE = ("This is nothing that the page can send.", "Reload it and try again.")


def checked(parts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The values of the parts, None in a text box as no text; UserError where one can't be theirs.

    Gradio checks a choice against the choices that a page began with, and little else.
    """
    if not all(map(fits, parts, values)):
        raise UserError(*NOT_OF_THE_PAGE)
    return [
        "" if value is None and isinstance(part, (gr.Textbox, gr.Code)) else value
        for part, value in zip(parts, values, strict=True)
    ]


def fits(part: Any, value: Any) -> bool:
    """Whether a part of the page can hold the value."""
    if isinstance(part, gr.CheckboxGroup) or getattr(part, "multiselect", False):
        return value is None or (isinstance(value, list) and all(map(_is_choice, value)))
    if isinstance(part, gr.Radio):
        return _is_choice(value) or (value is None and part.value is None)
    if isinstance(part, gr.Slider):
        return is_number(value)
    if isinstance(part, gr.Dropdown):  # of names, unless it began with something else
        others = any(value == each and type(value) is type(each) for _, each in part.choices)
        return value is None or isinstance(value, str) or others
    kinds = next((kinds for kind, kinds in HOLDS.items() if isinstance(part, kind)), (object,))
    known = is_number(value) if kinds == NUMBERS else isinstance(value, kinds)
    return value is None or known


def is_number(value: Any) -> bool:
    """Whether it is a number that can be counted with; JSON of some clients knows infinity."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and abs(value) < 2**63 and math.isfinite(value)


def detail(event: gr.EventData, name: str) -> str:
    """What a click says of itself by this name; UserError where it says nothing of the kind."""
    value = _named(event, name)
    if not isinstance(value, str):
        raise UserError(*NOT_OF_THE_PAGE)
    return value


def row_number(event: gr.EventData) -> int:
    """The number in the first column of the row that was clicked; UserError where it is none.

    Not of a `gr.SelectData`, which can't be made of a click that says less than a page does.
    """
    row = _named(event, "row_value")
    first: Any = row[0] if isinstance(row, list) and row else None
    if isinstance(first, str) and first.isdecimal() and len(first) < 10:
        return int(first)
    if not is_number(first):
        raise UserError(*NOT_OF_THE_PAGE)
    return int(first)


def _named(event: gr.EventData, name: str) -> Any:
    return event._data.get(name) if isinstance(event._data, dict) else None


def _is_choice(value: Any) -> bool:
    return isinstance(value, (str, bool)) or is_number(value)
