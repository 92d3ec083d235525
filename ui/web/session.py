"""Who asks: in a handler of the page, and the cookies that say so."""

from gradio.context import LocalContext
from starlette.requests import HTTPConnection

from engine.core.actor import LOCAL, Actor
from engine.core.errors import SignedOut
from engine.services.people import sign_in
from engine.workspace import Workspace

COOKIE = "tl_session"
BROWSER = "tl_browser"  # that somebody signed in here before: their own tries count apart


def who(ws: Workspace) -> Actor:
    """The person who is signed in in the browser of this event; the owner where nobody need be.

    It is looked up anew each time, so that what an owner takes away is away at the next call. In
    work that no browser asked for there is nobody: SignedOut.
    """
    if not ws.settings.sign_in:
        return LOCAL
    asked = LocalContext.request.get(None)
    if asked is None or asked.request is None:
        raise SignedOut(*sign_in.OVER)
    return sign_in.require(ws, asked.request.cookies.get(COOKIE, ""))


def requester(ws: Workspace, asked: HTTPConnection) -> Actor:
    """Who sends a request to a route of ours; SignedOut where nobody is signed in."""
    return sign_in.require(ws, asked.cookies.get(COOKIE, "")) if ws.settings.sign_in else LOCAL


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
    # a Space sits in a frame of another site, where a Lax cookie is never sent
    where = "SameSite=None; Secure; Partitioned" if space else "SameSite=Lax"
    if safe and not space:
        where += "; Secure"
    return f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; {where}"
