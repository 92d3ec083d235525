"""Enforces how much a request may send and how long it may take; whether an address is free.

How long is said here; how much, for each path, in api/limits.py and in ui/web/limits.py.

Pure ASGI for bodies, and uvicorn's own protocol with a limit on the time that headers take.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import h11
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.core.errors import UserError

KB, MB = 2**10, 2**20
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})  # names that only this machine reaches
HEADERS_S = 20.0  # from the first byte of a request, or from the connection, to its last header
BODY_S = 30.0  # and one second more for each SLOWEST bytes
SLOWEST = 50 * KB
LINGER_S = 5.0  # for the rest of a body whose request has its answer
READ_S = 30.0  # in which whoever reads an answer takes LEAST of it, or all that waits
LEAST = 30 * KB
CONNECTIONS = 800


class BodyLimits:
    """Wraps an app; a body that is too large is refused with 413, one that is too slow with 408."""

    def __init__(self, app: ASGIApp, limit_for: Callable[[Scope], int]) -> None:
        self.app = app
        self._limit_for = limit_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that is counted and timed as the app reads it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self._limit_for(scope)
        named = Headers(scope=scope).get("content-length", "0")
        if not named.isdecimal() or int(named) > most:
            await _too_large(most)(scope, receive, send)
            return
        body = _Body(receive, most)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, body.receive, sending)
        except (_TooLarge, TimeoutError):
            if started:
                raise
            refusal = _too_large(most) if body.seen > most else _too_slow()
            await refusal(scope, receive, send)


class _TooLarge(Exception):
    pass


class _Body:
    """Counts and times what arrives until the body has ended; then it only waits."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._begun = time.monotonic()
        self._open = True
        self.seen = 0

    async def receive(self) -> Message:
        """The next message; TimeoutError or _TooLarge where the body breaks its limits."""
        if not self._open:
            return await self._receive()
        left = self._begun + BODY_S + self.seen / SLOWEST - time.monotonic()
        message = await asyncio.wait_for(self._receive(), max(0.0, left))
        self.seen += len(message.get("body", b""))
        self._open = message["type"] == "http.request" and message.get("more_body", False)
        if self.seen > self._most:
            raise _TooLarge
        return message


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 for clients that take their time, who would hold all its connections.

    A connection is closed whose headers do not arrive in time, whose body goes on after the answer,
    or on which nobody reads the answer.
    """

    _giving_up: asyncio.TimerHandle | None = None
    _lingering: asyncio.TimerHandle | None = None
    _watching: asyncio.TimerHandle | None = None
    _unread = 0  # bytes that waited at the last look
    _drained = False  # since then

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; wait while a request has begun and its headers have not ended."""
        super().data_received(data)
        begun = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if self.conn.their_state is not h11.SEND_BODY:
            _cancel(self._lingering)
            self._lingering = None
        if not begun:
            _cancel(self._giving_up)
            self._giving_up = None
        elif self._giving_up is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Go on with the next request; let neither the rest of this one nor its answer wait long.

        uvicorn's own keep-alive starts anew with each byte that arrives.
        """
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and self._lingering is None:
            self._lingering = self.loop.call_later(LINGER_S, self.transport.close)
        self._watch()

    def pause_writing(self) -> None:
        """Hold the answer back, and look whether anybody reads it."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._drained = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        for timer in (self._giving_up, self._lingering, self._watching):
            _cancel(timer)
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._giving_up = self.loop.call_later(HEADERS_S, self.transport.close)

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._watching is None:
            self._unread, self._drained = left, False
            self._watching = self.loop.call_later(READ_S, self._look)

    def _look(self) -> None:
        self._watching = None
        read = self._unread - self.transport.get_write_buffer_size()
        if self._drained or read >= min(LEAST, self._unread):
            self._watch()
        else:  # what waits would hold an orderly close up
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def host_name(headers: Headers) -> str | None:
    """The name in the Host header, without its port; None where there is none to be read.

    Starlette's `request.url` has the server's own address instead of a Host that it cannot read,
    so a foreign name would pass for this machine's.
    """
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def longest_prefix(table: dict[str, int], path: str) -> int:
    """The number of the longest path in `table` that `path` is, or lies under."""
    fitting = [p for p in table if not p or path == p or path.startswith(f"{p}/")]
    return table[max(fitting, key=len)]


def _too_large(most: int) -> PlainTextResponse:
    limit = f"{most // MB} MB" if most >= MB else f"{most // KB} kB"
    headers = {"connection": "close"}
    return PlainTextResponse(f"This request is larger than {limit}.", 413, headers)


def _too_slow() -> PlainTextResponse:
    return PlainTextResponse("This request took too long.", 408, {"connection": "close"})


def check_free(host: str, port: int) -> None:
    """UserError where another program has `port` of `host`, or this one may not have it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"Port {port} of {host} can't be used: {error.strerror}.",
                "Stop what uses it, or choose another port.",
            ) from None
