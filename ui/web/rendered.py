"""The page as Gradio renders it, kept: it is 2 MB, the same for everybody, and slow to build.

Who asks changes nothing in it: what a page shows of somebody comes with its first event. Only the
address under which it was asked for stands in it. So it is rendered for an address that nobody has,
and each reader gets it with their own in that place: a thousand names of a host cost no more than
one. Cookies are given outside of this wall.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

from gradio.route_utils import get_request_origin
from httpx import InvalidURL
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.http_limits import KB
from ui.web.prefix import route_path

PATHS = ("/", "/config", "/config/")
METHODS = ("GET", "HEAD")
NOBODYS = "page.tuneloop.invalid"  # stands for the host in what is kept
# what may stand in a page as its address: nothing that a page would read as something else
ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
MOST = 8  # paths and prefixes, those that were asked for last
PIECE = 64 * KB  # is sent at once, so a slow reader holds no more
PART = "page"  # of several pages: there is one, whose name is empty
Key = tuple[str, ...]
BAD_HOST = "This address can't be the address of a page. Open it by its usual name."


class _Kept(NamedTuple):
    """What was rendered: the start of the answer, and the text between one address and the next."""

    start: Message
    parts: list[bytes]

    def start_for(self, address: bytes) -> Message:
        """The first message, with the length that the page has for this reader."""
        length = sum(map(len, self.parts)) + len(address) * (len(self.parts) - 1)
        start = {**self.start, "headers": list(self.start["headers"])}
        MutableHeaders(scope=start)["content-length"] = str(length)
        return start

    def pieces_for(self, address: bytes) -> Iterator[bytes]:
        """The body in small pieces; what is kept is read and not copied."""
        for number, part in enumerate(self.parts):
            view = memoryview(part)
            if number:
                yield address
            for at in range(0, len(view), PIECE):
                yield bytes(view[at : at + PIECE])


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
        address = _address(scope)
        if address is None:
            await PlainTextResponse(BAD_HOST, 400)(scope, receive, send)
            return
        answer = await self._answer(scope, path)
        await send(answer.start_for(address))
        for piece in answer.pieces_for(address) if scope["method"] == "GET" else ():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, scope: Scope, path: str) -> _Kept:
        # the rest of a query is the browser's own, or Gradio's for what this page doesn't have
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        query = f"{PART}=" if asked.get(PART) == "" else ""
        key = (path, query, scope["scheme"], scope.get("root_path", ""))
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


def _address(scope: Scope) -> bytes | None:
    """The origin under which the page was asked for, as Gradio would find it; None where odd."""
    try:
        origin = get_request_origin(Request(scope), route_path(scope))
    except (InvalidURL, ValueError):
        return None
    address = f"{origin.scheme}://{origin.netloc.decode('latin-1')}"
    return address.encode() if ADDRESS.fullmatch(address) else None


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

    asked = {**scope, "method": "GET", "query_string": query.encode(),
             "headers": [(b"host", NOBODYS.encode())]}  # fmt: skip
    await app(asked, receive, taken)
    own = f"{scope['scheme']}://{NOBODYS}".encode()
    return _Kept(start, b"".join(pieces).split(own))
