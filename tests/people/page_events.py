"""The events of the page without its server: every handler, whoever asks, whatever is sent."""

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace
from typing import Any, NamedTuple

import gradio as gr
from gradio.context import LocalContext
from gradio.helpers import special_args

from ui.web import sent

MOST_STEPS = 3  # of a handler that goes on by itself


class Event(NamedTuple):
    """A handler, its name for a message, and what it takes."""

    number: int
    name: str
    handler: Callable[..., Any]
    inputs: Sequence[Any]


def all_events(app: Any) -> list[Event]:
    """Those that run on the server."""
    return [
        Event(number, f"{number} {_name(fn.fn)}", fn.fn, fn.inputs)
        for number, fn in app.state.demo.fns.items()
        if fn.fn
    ]


@contextmanager
def asked_by(cookies: dict[str, str] | None) -> Iterator[None]:
    """What is called meanwhile is asked by a browser with these cookies; None for no browser."""
    asked = SimpleNamespace(cookies=cookies, scope={"path": "/", "root_path": ""})
    request: Any = SimpleNamespace(headers={}, request=asked, session_hash="a", cookies=cookies)
    mark = LocalContext.request.set(None if cookies is None else request)
    try:
        yield
    finally:
        LocalContext.request.reset(mark)


def call(event: Event, values: Sequence[Any], clicked: Any = None) -> Any:
    """What the handler gives back for these values, of one that goes on the first steps."""
    values = sent.checked(event.inputs, values)
    chosen = gr.EventData(None, clicked)
    given = special_args(event.handler, list(values), LocalContext.request.get(), chosen)[0]
    out = event.handler(*given)
    return list(islice(out, MOST_STEPS)) if inspect.isgenerator(out) else out


def filled(event: Event, fill: Callable[[int, Any], Any]) -> list[Any]:
    """A value for each input by its place and its part; states are the server's own."""
    return [
        copy.deepcopy(part.value) if isinstance(part, gr.State) else fill(place, part)
        for place, part in enumerate(event.inputs)
    ]


def sent_by(event: Event, values: Sequence[Any]) -> str:
    """What of these values a browser sends, and from which parts: without the server's states."""
    both = zip(event.inputs, values, strict=True)
    return repr([(id(part), None if isinstance(part, gr.State) else value) for part, value in both])


def hears_clicks(event: Event) -> bool:
    """Whether the handler is told what was clicked."""
    return special_args(event.handler)[2] is not None


def shown(value: Any) -> str:
    """Everything that a browser would get to see of what a handler gave back."""
    if isinstance(value, (list, tuple, set)):
        return " ".join(map(shown, value))
    if isinstance(value, dict):
        return " ".join(f"{shown(key)} {shown(each)}" for key, each in value.items())
    if isinstance(value, gr.blocks.Block):
        return shown({k: v for k, v in vars(value).items() if not k.startswith("__")}.__repr__())
    return str(value)


def _name(handler: Any) -> str:
    inner = inspect.unwrap(getattr(handler, "func", handler))
    return f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', repr(inner))}"
