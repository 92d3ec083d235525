"""Nobody passes who is not signed in, on a server that asks; pure ASGI, before every route.

Deny by default: a route that somebody adds, Gradio's own among them, is closed until it is named
here. The rating routes and those of the account let in whom they know, each by themselves.
"""

from urllib.parse import quote

from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.core.actor import Role
from engine.core.errors import Unavailable
from engine.services.people import sign_in
from engine.workspace import Workspace
from ui.web.prefix import route_path
from ui.web.session import COOKIE

OPEN = ("/health", "/guide", "/account", "/rate", "/api/rate", "/static", "/favicon.ico")
SIGN_IN, RATING = "/account/sign-in", "/rate/open"
MARK = {"x-tuneloop": "signed-out", "cache-control": "no-store"}  # account.js looks


class Gate:
    """Wraps an app; a page is answered with the way to the sign-in, everything else with 401."""

    def __init__(self, app: ASGIApp, *, ws: Workspace) -> None:
        self.app = app
        self.ws = ws

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what a signed-in trainer or owner asks for."""
        asked = scope["type"] == "http" and not is_open(route_path(scope))
        refusal = await self._refusal(HTTPConnection(scope), scope) if asked else None
        await (refusal or self.app)(scope, receive, send)

    async def _refusal(self, asked: HTTPConnection, scope: Scope) -> Response | None:
        try:
            token = asked.cookies.get(COOKIE, "")
            actor = await run_in_threadpool(sign_in.actor, self.ws, token)
        except Unavailable as error:
            return JSONResponse({"problem": error.problem, "fix": error.fix}, error.status)
        if actor and actor.role >= Role.TRAINER:
            return None
        wanted = asked.headers.get("accept", "")
        # what a link downloads must not be the page of the sign-in under the name of a file
        file = route_path(scope).startswith("/downloads/")
        page = scope["method"] == "GET" and "text/html" in wanted and not file
        if page:
            there = RATING if actor else f"{SIGN_IN}?then={quote(route_path(scope), safe='')}"
            return RedirectResponse(there, 303, MARK)
        if actor:
            return JSONResponse({"problem": "Your account is for rating.", "fix": ""}, 403)
        problem, fix = sign_in.OVER
        return JSONResponse({"problem": problem, "fix": fix}, 401, MARK)


def is_open(path: str) -> bool:
    """Whether a path is one of those named, or lies under one."""
    return any(path == each or path.startswith(f"{each}/") for each in OPEN)
