"""Who asks: the holder of a key, or whoever reaches a server on loopback that has no accounts.

A key opens one project; which models of it answer: served_models.py.
"""

import time
from collections import defaultdict, deque
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api.errors import Refused, response
from engine.core.actor import LOCAL, Actor
from engine.core.errors import UserError
from engine.http_limits import LOOPBACK, host_name
from engine.services import projects
from engine.services.people import accounts, api_keys
from engine.services.people.api_keys import ApiKey
from engine.workspace import Workspace

NO_KEY = (
    "No API key was given. Send one as 'Authorization: Bearer KEY'; make one with tuneloop api."
)
MINUTE_S = 60.0


class Caller(NamedTuple):
    """`key` is None for a person on this machine, on a server without accounts."""

    actor: Actor
    project_id: str
    key: ApiKey | None


class Callers:
    """Finds out who asks, and holds each key to its requests a minute."""

    def __init__(self, ws: Workspace, *, local: bool) -> None:
        self._ws = ws
        self._local = local  # listens on loopback alone
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def of(self, request: Request) -> Caller:
        """The caller; SignedOut without a key that opens something, 429 above its limit."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip().startswith(api_keys.PREFIX):
            key, actor = api_keys.holder(self._ws, token.strip())
            self._count(key)
            return Caller(actor, key.project_id, key)
        if not self._open_here(request):
            raise Refused(NO_KEY, status=401, headers={"www-authenticate": "Bearer"})
        return Caller(LOCAL, self._wanted_project(request), None)

    def _open_here(self, request: Request) -> bool:
        """Whether no key is needed: on loopback, from no web page, and while nobody signs in."""
        return (
            self._local
            and host_name(request.headers) in LOOPBACK
            and "origin" not in request.headers
            and not accounts.anybody(self._ws)
        )

    def _wanted_project(self, request: Request) -> str:
        """The project of the header OpenAI-Project, by name or id; else the newest one."""
        wanted = request.headers.get("openai-project", "")
        known = projects.list_all(self._ws, LOCAL)
        for one in known:
            if wanted in ("", one.id, one.name):
                return one.id
        if wanted:
            raise Refused(f"There is no project {wanted!r}.", code="project_not_found", status=404)
        return projects.find_or_create(self._ws, LOCAL).id

    def _count(self, key: ApiKey) -> None:
        asked, now = self._asked[key.id], time.monotonic()
        while asked and now - asked[0] > MINUTE_S:
            asked.popleft()
        if len(asked) >= key.requests_per_minute:
            wait = max(1, round(MINUTE_S - (now - asked[0])))
            raise Refused(
                f"The key {key.name!r} allows {key.requests_per_minute} requests a minute. "
                f"Try again in {wait} s.",
                status=429,
                headers={"retry-after": str(wait)},
            )
        asked.append(now)


class KeyGate:
    """Wraps an app: finds out who asks `/v1/...` before anybody reads what they send."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self.app, self._callers = app, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with `state.caller`, or answer it with the refusal."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            request.state.caller = await run_in_threadpool(self._callers.of, request)
        except (Refused, UserError) as error:
            await response(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _workspace(request: Request) -> Workspace:
    found: Workspace = request.app.state.ws
    return found


def _caller(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


# what a route asks for by naming it: the workspace, and who asks
OpenWorkspace = Annotated[Workspace, Depends(_workspace)]
Asking = Annotated[Caller, Depends(_caller)]
