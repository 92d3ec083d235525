"""What may reach Gradio's routes: short names of what it keeps, and events and sessions that exist.

Gradio keeps the name of a session for as long as it runs, whatever its length. It raises for an
event that it doesn't know, and for a stream of nobody's session once the answer has begun.
"""

import json
import re
from urllib.parse import parse_qsl

import gradio as gr
from fastapi import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.web.prefix import route_path
from ui.web.sent import NOT_OF_THE_PAGE

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # a page's have 11 characters, those of events 32
KEPT = ("session_hash", "event_id", "upload_id")
MOST_NAMES = 100  # in the object that a body is; a page's have less than ten
API = "/gradio_api/"
OF_SESSIONS = ("heartbeat", "stream")
BY_NAME = "call"  # Gradio's way for other programs: no event of this page has a name for them
GONE = ("This page is not known here any more.", "Reload it.")


class GradioRequests:
    """Wraps an app with a page of Gradio; what no page sends is answered with a sentence."""

    def __init__(self, app: ASGIApp, *, blocks: gr.Blocks) -> None:
        self.app = app
        self.blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it before anything of it is kept."""
        path = route_path(scope) if scope["type"] == "http" else ""
        if not path.startswith(API):
            await self.app(scope, receive, send)
            return
        place = path.removeprefix(API).strip("/").split("/")
        refusal = self._of_address(scope, place)
        if not refusal and scope["method"] == "POST" and place[0] != "upload":
            body = await _read(receive)
            if body is None:
                return
            refusal = self._of_body(place, body) if body else None
            receive = _again(body, receive)
        await (refusal or self.app)(scope, receive, send)

    def _of_address(self, scope: Scope, place: list[str]) -> JSONResponse | None:
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        names = [text for name, text in asked.items() if name in KEPT]
        if not all(map(is_id, names + place[1:2] * (place[0] in OF_SESSIONS))):
            return refused(422)
        if place[0] == BY_NAME:
            return refused(404)
        session = asked.get("session_hash")
        streams = self.blocks._queue.pending_messages_per_session
        if place == ["queue", "data"] and session is not None and session not in streams:
            return refused(404, GONE)
        return None

    def _of_body(self, place: list[str], body: bytes) -> JSONResponse | None:
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            return refused(422)
        if not isinstance(sent, dict) or len(sent) > MOST_NAMES:
            return refused(422)
        if not all(map(is_id, (sent[name] for name in KEPT if sent.get(name) is not None))):
            return refused(422)
        runs = place[0] in ("run", "api") or place == ["queue", "join"]
        if (
            runs
            and isinstance(sent.get("data"), list)
            and not self._is_event(sent.get("fn_index"), place[-1])
        ):
            return refused(404)
        return None

    def _is_event(self, number: object, name: str) -> bool:
        if number is None:
            return name != "join" and any(
                name == each.api_name for each in self.blocks.fns.values()
            )
        return type(number) is int and number in self.blocks.fns


def is_id(value: object) -> bool:
    """Whether it is what a page calls its session, an event or an upload."""
    return isinstance(value, str) and ID.fullmatch(value) is not None


def refused(status: int, why: tuple[str, str] = NOT_OF_THE_PAGE) -> JSONResponse:
    """A sentence; `detail` is what Gradio's page shows of a refusal."""
    problem, fix = why
    return JSONResponse({"problem": problem, "fix": fix, "detail": f"{problem} {fix}"}, status)


async def explain_unreadable(_request: Request, _error: Exception) -> JSONResponse:
    """The answer to what a route can't read; FastAPI's own repeats all of it, at its length."""
    return refused(422)


async def _read(receive: Receive) -> bytes | None:
    """The body, whose length another wall bounds; None where the client left."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def received() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return received
