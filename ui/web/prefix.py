"""Tuneloop under a path of a host: https://example.org/tools/tuneloop/.

The app itself speaks of its own paths alone. This wall around it puts the prefix before what goes
out (links of plain pages, redirects, the path of cookies) and tells Gradio of it as ASGI's
root_path. The prefix is what the operator names, or what a trusted proxy says in
X-Forwarded-Prefix; nobody else is believed.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.core.errors import UserError

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}")
OWN_ADDRESS = re.compile(r"(\b(?:href|src|action)=[\"'])/(?!/)")
HEADER = "x-forwarded-prefix"
KEY = "tuneloop.prefix"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_current: ContextVar[str] = ContextVar("prefix", default="")


class Prefix:
    """Wraps an app; `root_path` is its public path, `proxies` are believed where it is empty."""

    def __init__(self, app: ASGIApp, *, root_path: str = "", proxies: Collection[str] = ()) -> None:
        self.app = app
        self.root_path = cleaned(root_path)
        self.proxies = tuple(_networks(proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its prefix, whether the proxy left it in the path or not."""
        prefix = self._prefix(scope) if scope["type"] == "http" else ""
        if not prefix:
            await self.app(scope, receive, send)
            return
        if scope["path"] == prefix:  # without the slash, relative addresses would lead elsewhere
            await RedirectResponse(f"{prefix}/", 308)(scope, receive, send)
            return
        path = scope["path"]
        whole = path if path.startswith(f"{prefix}/") else f"{prefix}{path}"
        # Gradio would take the host from it and forget the prefix; the proxy passes Host
        headers = [(name, text) for name, text in scope["headers"] if name != b"x-forwarded-host"]
        inner = {**scope, "path": whole, "root_path": prefix, "headers": headers, KEY: prefix}

        async def outwards(message: Message) -> None:
            if message["type"] == "http.response.start":
                _point(MutableHeaders(scope=message), prefix)
            await send(message)

        token = _current.set(prefix)
        try:
            await self.app(inner, receive, outwards)
        finally:
            _current.reset(token)

    def _prefix(self, scope: Scope) -> str:
        if self.root_path:
            return self.root_path
        named = Headers(scope=scope).get(HEADER, "").rstrip("/")
        peer = scope["client"][0] if scope.get("client") else ""
        return named if PREFIX.fullmatch(named) and self._trusted(peer) else ""

    def _trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.proxies)


def _networks(proxies: Collection[str]) -> Iterator[Network]:
    """Addresses and networks; `*` is every address, and a name is none."""
    for each in proxies:
        with suppress(ValueError):
            named = ("0.0.0.0/0", "::/0") if each == "*" else (each,)
            yield from (ipaddress.ip_network(one, strict=False) for one in named)


def cleaned(root_path: str) -> str:
    """The public path with a slash before it and none behind; UserError where it is none."""
    path = f"/{root_path.strip('/')}" if root_path.strip("/") else ""
    if path and not PREFIX.fullmatch(path):
        raise UserError(
            f"{root_path!r} can't be a public path.", "Give one such as /tools/tuneloop."
        )
    return path


def prefix_of(scope: Scope) -> str:
    """The public path under which a request came; empty at the root of a host."""
    return str(scope.get(KEY, ""))


def route_path(scope: Scope) -> str:
    """The path of a request as the app knows it."""
    return str(scope["path"]).removeprefix(prefix_of(scope)) or "/"


def rooted(html: str) -> str:
    """The page with the prefix of this request before every address of ours.

    Ours begin with a slash in an attribute; text of other people has its quotes escaped, so it
    cannot look like one.
    """
    prefix = _current.get()
    return OWN_ADDRESS.sub(rf"\1{prefix}/", html) if prefix else html


def _point(headers: MutableHeaders, prefix: str) -> None:
    there = headers.get("location", "")
    inside = there == prefix or there.startswith(f"{prefix}/")
    if there.startswith("/") and not there.startswith("//") and not inside:
        headers["location"] = f"{prefix}{there}"
    cookies = headers.getlist("set-cookie")
    if cookies:
        del headers["set-cookie"]
        for each in cookies:
            headers.append("set-cookie", each.replace("; Path=/;", f"; Path={prefix};"))
