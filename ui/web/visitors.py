"""An open Space: every browser is a visitor of its own; pure ASGI, before every route.

The first page gives a browser its cookie. What works on projects is refused where none comes back,
with a mark that visitor.js looks for: services would refuse it too, but one at a time. A page's
session of Gradio stays with the visitor who began it.
"""

import time
from collections import OrderedDict
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import parse_qs

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.core.ids import sha256
from engine.services.people import visitor_cookies, visitor_projects, visitors
from engine.workspace import Workspace
from ui.web.prefix import route_path
from ui.web.session import VISITOR, cookie, encrypted

PAGE = "/"
CLOSED = ("/gradio_api", "/downloads")  # to whoever holds no cookie
ASSETS = ("/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/app_id")
UPLOAD, STREAMS = "/gradio_api/upload", ("/gradio_api/queue/data", "/gradio_api/heartbeat/")
MARK = {"x-tuneloop": "no-cookie", "cache-control": "no-store"}
MOST_SESSIONS = 5000

_asking: ContextVar[str] = ContextVar("visitor", default="")


class Owners:
    """Which visitor began each session of a page, of those used last."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, str] = OrderedDict()

    def fits(self, session_hash: str) -> bool:
        """Whether the visitor of this request may use the session; the first one keeps it."""
        who = _asking.get()
        if not who or not session_hash:
            return True
        found = self._of.setdefault(session_hash, who)
        self._of.move_to_end(session_hash)
        if len(self._of) > MOST_SESSIONS:
            self._of.popitem(last=False)
        return found == who


owners = Owners()


def leave_request() -> None:
    """Say that what goes on from here is nobody's request, such as a loop of the server."""
    _asking.set("")


class Visitors:
    """Wraps an app over a workspace, in whose folder of uploads files lie until they are read."""

    def __init__(self, app: ASGIApp, *, ws: Workspace) -> None:
        self.app = app
        self.ws = ws
        self.uploads: Path = ws.settings.uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as its visitor's, or answer it with a refusal."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked, path = HTTPConnection(scope), route_path(scope)
        cookies = asked.cookies.get(VISITOR, "")
        held = visitor_cookies.read(self.ws, cookies)
        known = held is not None and held.is_ours
        if path == PAGE and scope["method"] in ("GET", "HEAD"):
            address = asked.client.host if asked.client else ""
            token = await run_in_threadpool(visitors.admit, self.ws, cookies, address)
            if token is None:
                await PlainTextResponse(" ".join(visitors.TOO_MANY), 429)(scope, receive, send)
                return
            send = _giving(send, _cookie(asked, token))
        mark = _asking.set(sha256(held.secret) if held and known else "")
        try:
            await (self._refusal(scope, path, known=known) or self.app)(scope, receive, send)
        finally:
            _asking.reset(mark)

    def _refusal(self, scope: Scope, path: str, *, known: bool) -> Response | None:
        if not known and path not in ASSETS and _under(path, CLOSED):
            problem, fix = visitors.NOBODY
            return JSONResponse({"problem": problem, "fix": fix}, 401, MARK)
        if path.startswith(STREAMS) and not owners.fits(_session(scope, path)):
            return PlainTextResponse("This page is another visitor's.", 403)
        if path == UPLOAD and visitors.uploads_full(self.uploads, time.time()):
            return PlainTextResponse("Too many files wait to be read. Try again later.", 507)
        return None


def _session(scope: Scope, path: str) -> str:
    if path.startswith(STREAMS[1]):
        return path.removeprefix(STREAMS[1])
    named = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
    return named[-1]


def _under(path: str, places: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in places)


def _cookie(asked: HTTPConnection, token: str) -> str:
    age = int(visitor_projects.kept_days() * visitor_projects.DAY_S)
    return cookie(VISITOR, token, age, space=True, safe=encrypted(asked))


def _giving(send: Send, value: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("set-cookie", value)
            headers["cache-control"] = "no-store"  # a kept page would give its cookie to others
        await send(message)

    return sending
