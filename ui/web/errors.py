"""Between a click and a service: what a person can mend is shown to them, a bug is logged."""

import inspect
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from engine.core.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("tuneloop.ui")
WRITTEN_S = 3600.0  # how long the traceback of a place is not written again
MOST_PLACES = 200
LONGEST_WORD, LONGEST_TEXT = 200, 1000  # a path is one word
_written: dict[tuple[type[Exception], str, int], float] = {}
BUG = "Something went wrong in the program; the log has the details."


def shows_errors(handler: Callable[P, T]) -> Callable[P, T]:
    """The handler, its errors turned into a message on the page; generators stay generators."""
    if inspect.isgeneratorfunction(handler):

        @wraps(handler)
        def each(*args: P.args, **kwargs: P.kwargs) -> Any:
            with as_message():
                yield from handler(*args, **kwargs)

        return each

    @wraps(handler)
    def once(*args: P.args, **kwargs: P.kwargs) -> T:
        with as_message():
            return handler(*args, **kwargs)

    return once


@contextmanager
def as_message() -> Iterator[None]:
    """What is raised inside becomes a message of the page."""
    try:
        yield
    except gr.Error:
        raise
    except UserError as error:
        text = shortened(str(error))
        raise gr.Error(text, title="Not done", print_exception=False, duration=8) from None
    except Exception as error:
        log_now_and_then(error)
        raise gr.Error(BUG, title="Sorry", print_exception=False, duration=8) from None


def shortened(text: str) -> str:
    """The text without what is too long to read: what somebody sent may stand in it."""
    words = [word if len(word) <= LONGEST_WORD else f"{word[:60]}…" for word in text.split(" ")]
    found = " ".join(words)
    return found if len(found) <= LONGEST_TEXT else f"{found[:LONGEST_TEXT]}…"


def log_now_and_then(error: Exception) -> None:
    """Log the traceback once an hour for each place, else a line: nobody fills the log."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = (type(error), at.filename, at.lineno or 0)
    now = time.monotonic()
    if now - _written.get(place, -WRITTEN_S) < WRITTEN_S:
        log.error("a handler failed again: %s at %s:%s", *(place[0].__name__, *place[1:]))
        return
    if len(_written) >= MOST_PLACES:
        _written.clear()
    _written[place] = now
    log.error("a handler failed", exc_info=error)
