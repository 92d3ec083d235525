"""What the server keeps of each opened page, of how many, and how it waits for their events.

Gradio copies the configuration of every part for each session, 1.9 MB of this page, so that a deep
link could restore it; no page here makes such a link. And it looks for new events a thousand times
a second, in one queue for each handler. Both grow with the page: this one has a thousand parts.
"""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import gradio as gr
from fastapi import HTTPException, Request
from gradio.block_function import BlockFunction
from gradio.data_classes import PredictBodyInternal
from gradio.exceptions import ComponentProcessingError
from gradio.queueing import Event, Queue
from gradio.routes import App
from gradio.server_messages import EventMessage
from gradio.state_holder import SessionState, StateHolder

from engine.core.errors import UserError
from ui.web import sent, visitors
from ui.web.errors import as_message
from ui.web.stale_polls import drop_stale

MOST = 200  # pages; the one unseen for longest begins anew
MOST_UNREAD = 2000  # answers that wait for their pages; the oldest page's are dropped first
LOOK_S = 0.01  # between two looks for a free place while handlers run
ANALYTICS = 200  # events whose durations are kept; nothing reads them
OF_ANOTHER = "This page is another visitor's. Reload it."
OF_CHOICES = "Value: "  # so begins the library's sentence that lists all choices
SWEEP_EVERY_S = 60.0  # pages that were left an hour ago lose their state


class PageState(SessionState):
    """The state of one opened page: values of `gr.State` and parts that an event has changed."""

    def __init__(self, blocks: gr.Blocks) -> None:
        without_parts: Any = SimpleNamespace(default_config=blocks.default_config, blocks={})
        super().__init__(without_parts)
        self.config_values = _Dropped()

    def _update_config(self, key: int) -> None:
        """The configuration is not kept."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """What a part shows is not kept: the browser has it."""


class PageStates(StateHolder):
    """The states of the pages that were used last, `MOST` of them."""

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__()
        self._swept = time.monotonic()
        blocks.state_session_capacity = MOST
        self.set_blocks(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        """The state of a page; a page that another visitor began is not theirs to use."""
        if not visitors.owners.fits(session_id):
            raise HTTPException(403, OF_ANOTHER)
        if session_id not in self.session_data:
            self.session_data[session_id] = PageState(self.blocks)
        return super().__getitem__(session_id)

    def delete_all_expired_state(self) -> None:
        """Called each second; looks at the pages once a minute."""
        if time.monotonic() - self._swept >= SWEEP_EVERY_S:
            self._swept = time.monotonic()
            super().delete_all_expired_state()


class RestingQueue(Queue):
    """A queue that does nothing until an event comes."""

    _came: asyncio.Event

    @property
    def sleep_when_free(self) -> float:
        """Seconds until the next look while handlers run; raises `_Rest` where nothing does."""
        if not (len(self) or any(self.active_jobs) or self._asyncio_tasks):
            raise _Rest
        return LOOK_S

    @sleep_when_free.setter
    def sleep_when_free(self, _seconds: float) -> None:
        """The library's own interval is not taken."""

    async def push(self, body: PredictBodyInternal, request: Request, username: str | None) -> Any:
        """Take an event and wake the loop that handles it."""
        if not visitors.owners.fits(body.session_hash or ""):
            return False, OF_ANOTHER, "error"
        taken = await super().push(body, request, username)
        self._drop_unread()
        self._came.set()
        return taken

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """Pass an answer on to its page, unless that page has not read for too long."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    def _drop_unread(self) -> None:
        """Keep few answers that nobody reads; the library keeps the ids of all for ever.

        A page that reads has its answers taken away at once and comes anew with the next event.
        """
        waiting = self.pending_messages_per_session
        unread = sum(messages.qsize() for messages in waiting.values())
        while unread > MOST_UNREAD:
            unread -= waiting.popitem(last=False)[1].qsize()
        pending = self.pending_event_ids_session
        for session in [one for one in pending if one not in waiting]:
            del pending[session]

    async def start_processing(self) -> None:
        """Handle events until the queue is closed."""
        visitors.leave_request()  # the first request starts this loop, which serves them all
        self._came = asyncio.Event()  # of this event loop
        while True:
            self._came.clear()
            try:
                await super().start_processing()
                return
            except _Rest:
                self.stopped = False  # the library takes the end of its loop for the end of all
            await self._came.wait()

    def compute_analytics_summary(self, _records: Any) -> Any:
        """Nothing; the library makes a table of its last 10,000 events after each of them."""
        return self.cached_event_analytics_summary

    async def start_progress_updates(self) -> None:
        """No handler here reports progress, so nothing looks for it."""


def keep_little(mounted: App, blocks: gr.Blocks) -> None:
    """Replace Gradio's store of sessions and its way of waiting by those above."""
    mounted.state_holder = PageStates(blocks)
    check_what_is_sent(blocks)
    drop_stale(blocks)
    events = blocks._queue
    events.__class__ = RestingQueue
    events._came = asyncio.Event()
    events.ANALYTICS_MAX_EVENTS = ANALYTICS


def check_what_is_sent(blocks: gr.Blocks) -> None:
    """Let no handler see what no part of the page can hold; every error is a sentence of ours."""
    before, call = blocks.preprocess_data, blocks.call_function

    async def preprocessed(block_fn: BlockFunction, *given: Any, **named: Any) -> list[Any]:
        try:
            found = await before(block_fn, *given, **named)
            return sent.checked(block_fn.inputs, found)
        except (gr.Error, UserError, ComponentProcessingError) as error:
            if isinstance(error, gr.Error) and not str(error.message).startswith(OF_CHOICES):
                raise
            text = " ".join(sent.NOT_OF_THE_PAGE)
            raise gr.Error(text, title="Not done", print_exception=False, duration=8) from None

    async def called(*given: Any, **named: Any) -> Any:
        with as_message():  # what a click says is read before a handler's own net
            return await call(*given, **named)

    changed: Any = blocks
    changed.preprocess_data, changed.call_function = preprocessed, called


class _Dropped(dict[int, Any]):
    def __setitem__(self, key: int, value: Any) -> None:
        """Keep nothing."""


class _Rest(Exception):
    """There is nothing to do."""
