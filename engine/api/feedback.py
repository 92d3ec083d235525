"""`POST /v1/feedback`, and the page on which somebody says what they think of an answer."""

from html import escape
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from engine.api.callers import Asking, OpenWorkspace
from engine.api.errors import Refused, Wire
from engine.services import feedback

router = APIRouter()
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;"
    "margin:2rem auto;padding:0 1rem}pre{margin-top:0;white-space:pre-wrap;overflow-wrap:anywhere;"
    "border:1px solid #8886;border-radius:.5rem;padding:1rem;font:inherit}"
    "button{font:inherit;padding:.6rem 1.2rem;margin-right:.5rem;border:1px solid #8888;"
    "border-radius:.5rem;cursor:pointer;min-height:44px}h1{font-size:1.4rem}"
    "h2{font-size:1rem;margin-bottom:.25rem}"
)


class FeedbackRequest(BaseModel):
    """One thing said about an answer: a thumb, a correction, or that it was chosen of several."""

    model_config = ConfigDict(extra="forbid")

    completion_id: str = Field(max_length=100)
    thumb: Literal["up", "down"] | None = None
    correction: str | None = None
    rejected: list[str] | None = Field(None, max_length=100)


@router.post("/v1/feedback")
def say(ws: OpenWorkspace, caller: Asking, given: FeedbackRequest) -> Wire:
    """Keep what somebody thought of an answer."""
    named = [name for name in ("thumb", "correction", "rejected") if getattr(given, name)]
    if len(named) != 1:
        raise Refused("Give one of thumb, correction or rejected.", param="thumb")
    about = (ws, caller.actor, caller.project_id, given.completion_id)
    if given.thumb:
        feedback.thumb(*about, given.thumb == "up")
    elif given.correction:
        feedback.correct(*about, given.correction)
    else:
        feedback.chosen(*about, given.rejected or [])
    return {"object": "feedback", "completion_id": given.completion_id, "kept": True}


@router.get(feedback.VOTE_PATH + "{completion_id}")
def page(ws: OpenWorkspace, completion_id: str) -> HTMLResponse:
    """The answer, without its model, and two buttons."""
    question, answer = feedback.shown(ws, completion_id)
    return _page(_texts(question, answer) + _buttons(completion_id))


@router.post(feedback.VOTE_PATH + "{completion_id}/{thumb}")
def vote(ws: OpenWorkspace, completion_id: str, thumb: Literal["up", "down"]) -> HTMLResponse:
    """Keep a thumb; what somebody says last counts."""
    feedback.vote(ws, completion_id, thumb == "up")
    thumb_words = "a good answer" if thumb == "up" else "not a good answer"
    return _page(f"<p>Thank you. You said: {thumb_words}. What you say last counts.</p>")


def _texts(question: str, answer: str) -> str:
    if not answer:
        return "<p>What do you think of the answer that you were just given?</p>"
    return (
        f"<h2>Question</h2><pre>{escape(question)}</pre><h2>Answer</h2><pre>{escape(answer)}</pre>"
    )


def _buttons(completion_id: str) -> str:
    """Relative addresses: the server may lie under a path of its host."""
    here = escape(completion_id, quote=True)
    return (
        f'<form method="post"><button formaction="{here}/up">Good answer</button>'
        f'<button formaction="{here}/down">Not a good answer</button></form>'
    )


def _page(content: str) -> HTMLResponse:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>How was this answer?</title><style>{STYLE}</style></head>"
        f"<body><h1>How was this answer?</h1>{content}</body></html>"
    )
    return HTMLResponse(html, headers=HEADERS)
