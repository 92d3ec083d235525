"""The page as Gradio renders it, kept: it is 2 MB, the same for everybody, and slow to build.

Who asks changes nothing in it: what a page shows of somebody comes with its first event. Only the
address under which it was asked for stands in it. Cookies are given outside of this wall.
"""

import asyncio
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.http_limits import KB
from ui.web.prefix import route_path

PATHS = ("/", "/config", "/config/")
METHODS = ("GET", "HEAD")
ORIGIN = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")  # make up the address
MOST = 8  # addresses and paths, those that were asked for last
PIECE = 64 * KB  # is sent at once, so a slow reader holds no more
PART = "page"  # of several pages: there is one, whose name is empty
Key = tuple[str, ...]


class _Kept(NamedTuple):
    """What was rendered."""

    start: Message
    body: bytes


class RenderedOnce:
    """Wraps an app with a page of Gradio; renders one page at a time, and each once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with what is kept."""
        path = route_path(scope) if scope["type"] == "http" else ""
        if path not in PATHS or scope["method"] not in METHODS:
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, path)
        await send({**answer.start, "headers": list(answer.start["headers"])})
        whole = memoryview(answer.body if scope["method"] == "GET" else b"")
        for at in range(0, len(whole), PIECE):
            piece = bytes(whole[at : at + PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, scope: Scope, path: str) -> _Kept:
        # the rest of a query is the browser's own, or Gradio's for what this page doesn't have
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        query = f"{PART}=" if asked.get(PART) == "" else ""
        headers = Headers(scope=scope)
        origin = (headers.get(name, "") for name in ORIGIN)
        key = (path, query, scope["scheme"], scope.get("root_path", ""), *origin)
        if key not in self._kept:
            async with self._turn():
                if key not in self._kept:
                    answer = await _render(self.app, scope, query)
                    if answer.start["status"] != 200:
                        return answer
                    self._kept[key] = answer
        self._kept.move_to_end(key)
        answer = self._kept[key]
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return answer

    def _turn(self) -> asyncio.Lock:
        """The lock of this event loop; a server has one, tests have several."""
        loop = asyncio.get_running_loop()
        for ended in [each for each in self._turns if each.is_closed()]:
            del self._turns[ended]
        return self._turns.setdefault(loop, asyncio.Lock())


async def _render(app: ASGIApp, scope: Scope, query: str) -> _Kept:
    """What the app answers, which builds it in a thread of its own."""
    start: Message = {}
    pieces: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def taken(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            pieces.append(message.get("body", b""))

    headers = [(name, text) for name, text in scope["headers"] if name.decode("latin-1") in ORIGIN]
    asked = {**scope, "method": "GET", "query_string": query.encode(), "headers": headers}
    await app(asked, receive, taken)
    return _Kept(start, b"".join(pieces))
