"""A request that a library or the program trips over: one sentence, and one traceback an hour.

Gradio's own routes raise for names and texts that no page sends. uvicorn writes a traceback for
each such request, so whoever may send one could fill the log.
"""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.web.errors import BUG, log_now_and_then

FAILED = 500


class Unexpected:
    """Wraps an app; what it raises is logged and answered where nothing has been sent yet."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an answer that says 500 waits until it is known whose it is."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        waiting: list[Message] = []
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if waiting or (not started and message.get("status") == FAILED):
                waiting.append(message)
                return
            started = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            log_now_and_then(error)
            if not started:
                await JSONResponse({"problem": BUG, "fix": ""}, FAILED)(scope, receive, send)
            return
        for message in waiting:
            await send(message)
