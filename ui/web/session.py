"""Who asks in a handler of the page, and the names of the cookies that say so."""

from collections.abc import Mapping

from gradio.context import LocalContext
from starlette.requests import HTTPConnection

from engine.core.actor import LOCAL, Actor
from engine.core.errors import SignedOut
from engine.services.people import sign_in, visitors
from engine.workspace import Workspace

COOKIE = "tl_session"
VISITOR = "tl_visitor"
BROWSER = "tl_browser"  # that somebody signed in here before: their own tries count apart


def who(ws: Workspace) -> Actor:
    """The person who is signed in in the browser of this event; the owner where nobody need be.

    In an open Space it is the visitor of that browser.

    It is looked up anew each time, so that what an owner takes away is away at the next call. In
    work that no browser asked for there is nobody: SignedOut.
    """
    if not (ws.settings.sign_in or ws.settings.visitors):
        return LOCAL
    asked = LocalContext.request.get(None)
    if asked is None or asked.request is None:
        raise SignedOut(*sign_in.OVER)
    return _of_cookies(ws, asked.request.cookies)


def requester(ws: Workspace, asked: HTTPConnection) -> Actor:
    """Who sends a request to a route of ours; SignedOut where nobody is signed in."""
    if not (ws.settings.sign_in or ws.settings.visitors):
        return LOCAL
    return _of_cookies(ws, asked.cookies)


def _of_cookies(ws: Workspace, held: Mapping[str, str]) -> Actor:
    if ws.settings.sign_in:
        return sign_in.require(ws, held.get(COOKIE, ""))
    return visitors.require(ws, held.get(VISITOR, ""))


def encrypted(asked: HTTPConnection) -> bool:
    """Whether the browser reached this server by https, through whatever proxy.

    Good for a cookie that goes back to the same browser, which harms nobody but itself by a lie:
    so the word of a proxy is taken that is not named as trusted, and that of the page's origin.
    """
    forwarded = asked.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    origin = asked.headers.get("origin", "").lower()
    return asked.url.scheme == "https" or forwarded == "https" or origin.startswith("https://")


def cookie(name: str, value: str, age_s: int, *, space: bool, safe: bool = False) -> str:
    """The value of a Set-Cookie header; with `safe` it is never sent unencrypted."""
    where = "SameSite=Lax; Secure" if safe else "SameSite=Lax"
    if space and safe:
        # a Space sits in a frame of another site, where a Lax cookie is never sent
        where = "SameSite=None; Secure; Partitioned"
    return f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; {where}"
