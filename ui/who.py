"""Who asks, in a handler of the page."""

from gradio.context import LocalContext

from engine.core.actor import LOCAL, Actor
from engine.core.errors import SignedOut
from engine.services.people import sign_in
from engine.workspace import Workspace

COOKIE = "tl_session"


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
