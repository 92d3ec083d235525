"""One wall in front of every route, Gradio's included: hosts, origins, headers.

Pure ASGI, so that it also covers what Gradio's own checks leave open. A server that asks nobody who
they are is for the person at this machine: a foreign Host header is refused (DNS rebinding). A
request that changes something must come from our own page.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.http_limits import LOOPBACK, host_name

LOOPBACK_ONLY = "to a loopback address"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Gradio's routes that fetch an address for a stranger, and those that hand out whatever lies in its
# folder of uploads to whoever knows the path. What people may take along has routes of its own.
CLOSED = ("/proxy=", "/file=", "/file/")
# Gradio's pages need inline scripts and styles, and evaluate their component templates.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors {ancestors}"
)


class SecurityMiddleware:
    """Wraps an app; with `anywhere` any host is served, with `space` Hugging Face may frame it.

    Where `hosts` are named, only they and the loopback addresses are served.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        space: bool = False,
        anywhere: bool = False,
        hosts: Collection[str] = (),
    ) -> None:
        self.app = app
        self.anywhere = (anywhere or space) and not hosts
        self.hosts = LOOPBACK | {host.lower() for host in hosts}
        ancestors = "'self' https://huggingface.co https://*.hf.space" if space else "'self'"
        self.headers = {
            "content-security-policy": POLICY.format(ancestors=ancestors),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a refusal."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if not self.anywhere and host_name(headers) not in self.hosts:
            answers = "to the names it was started with" if self.hosts > LOOPBACK else LOOPBACK_ONLY
            return PlainTextResponse(f"This server answers {answers} only.", 421)
        if any(part in scope["path"] for part in CLOSED):
            return PlainTextResponse("Not here.", 404)
        if scope["method"] in SAFE_METHODS or _same_origin(headers):
            return None
        return PlainTextResponse("This request came from another site.", 403)


def _same_origin(headers: Headers) -> bool:
    """Browsers say where a request comes from; programs that say nothing are let through."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or origin.partition("://")[2] == headers.get("host")
