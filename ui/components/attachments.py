"""Files that a route hands out: how they are sent, and what is said where they can't be."""

from html import escape

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from engine.core.errors import UserError
from ui.components import plain_page

PRIVATE = {"cache-control": "no-store"}


def headers(name: str) -> dict[str, str]:
    """The headers of an attachment that no cache keeps; `name` holds plain characters only."""
    return {"content-disposition": f'attachment; filename="{name}"', **PRIVATE}


def refused(request: Request, error: UserError, guide: str) -> Response:
    """The two sentences: as a page for a person, as JSON for a program."""
    if "text/html" not in request.headers.get("accept", ""):
        body = {"problem": error.problem, "fix": error.fix}
        return JSONResponse(body, error.status, PRIVATE)
    text = f"<p>{escape(error.problem)} {escape(error.fix)}</p>"
    mark = '<span class="tl-rate-mark">Tuneloop</span>'
    state = f'<div class="tl-rate-state">{text}</div>'
    page = plain_page.page("No such file", state, mark=mark, head="", guide=guide)
    return HTMLResponse(page, error.status, PRIVATE)
