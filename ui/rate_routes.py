"""The rating routes: JSON for ui/static/rate.js, and the page that colleagues open.

A rater is a random cookie. What goes out is what `votes` calls Shown, plus counts: nothing here
reads a comparison, so nothing here can tell whose answer is whose.
"""

import re
import secrets
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.rating import Choice, Round, Shown
from engine.services.rating import rounds, votes
from engine.workspace import Workspace
from ui.rate import page

COOKIE = "tl_rater"
COOKIE_S = 365 * 24 * 3600
RATER = re.compile(r"[A-Za-z0-9_-]{22}")  # secrets.token_urlsafe(16)
NOT_A_VOTE = {"problem": "This is not a vote.", "fix": "Reload the page and vote again."}
PRIVATE = {"Cache-Control": "no-store"}


class Ballot(BaseModel):
    """A vote as the browser sends it; `active_ms` is the time the pair was looked at."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=64)
    key: str = Field(max_length=64)
    choice: Choice
    active_ms: int = 0
    via: Literal["key", "button"] = "key"


class Pass(BaseModel):
    """A pair that is left to others."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=64)


class Next(BaseModel):
    """The pair to rate; None when nothing is left for this rater."""

    pair: Shown | None


class Progress(BaseModel):
    """Votes of this rater and of all, and what the round is called."""

    name: str
    purpose: str
    status: str
    done: int
    total: int
    all_done: int
    all_total: int


class Listed(BaseModel):
    """A round in a list: no arm, no plan."""

    id: str
    name: str
    purpose: str
    status: str


class _Route(APIRoute):
    """Turns a UserError into its status and two sentences, whatever route raised it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one route."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except UserError as error:
                said = {"problem": error.problem, "fix": error.fix}
                return JSONResponse(said, error.status, PRIVATE)
            except RequestValidationError:
                return JSONResponse(NOT_A_VOTE, UserError.status, PRIVATE)

        return guarded


def router(ws: Workspace, *, space: bool = False) -> APIRouter:
    """The JSON routes under /api/rate/ and the page /rate/{round}."""
    rater = Depends(_identify(space))
    found = APIRouter()
    found.include_router(_api(ws, rater))
    found.include_router(_pages(ws, rater))
    return found


def _api(ws: Workspace, rater: Any) -> APIRouter:
    api = APIRouter(prefix="/api/rate", route_class=_Route)
    Rater = Annotated[Actor, rater]

    @api.get("/rounds")
    def list_rounds(project: str, actor: Rater) -> list[Listed]:
        return [_listed(one) for one in rounds.list_all(ws, actor, project)]

    @api.get("/{round_id}/next")
    def next_pair(round_id: str, actor: Rater) -> Next:
        return Next(pair=votes.next_pair(ws, actor, round_id))

    @api.get("/{round_id}/progress")
    def progress(round_id: str, actor: Rater) -> Progress:
        one = rounds.get(ws, actor, round_id)
        counts = votes.progress(ws, actor, round_id)
        return Progress(name=one.name, purpose=one.purpose, status=one.status, **counts)

    @api.post("/vote")
    def vote(cast: Ballot, actor: Rater) -> Next:
        return Next(pair=votes.vote(ws, actor, **cast.model_dump()))

    @api.post("/skip")
    def skip(left: Pass, actor: Rater) -> Next:
        return Next(pair=votes.skip(ws, actor, left.token))

    @api.post("/{round_id}/undo")
    def undo(round_id: str, actor: Rater) -> Next:
        return Next(pair=votes.undo(ws, actor, round_id))

    return api


def _pages(ws: Workspace, rater: Any) -> APIRouter:
    pages = APIRouter()

    @pages.get("/rate/{round_id}", response_class=HTMLResponse)
    def rate(round_id: str, response: Response, actor: Annotated[Actor, rater]) -> Any:
        response.headers.update(PRIVATE)
        try:
            return page.rating(rounds.get(ws, actor, round_id))
        except UserError as error:
            return HTMLResponse(page.refusal(error), error.status, PRIVATE)

    return pages


def _identify(space: bool) -> Callable[[Request, Response], Actor]:
    def identify(request: Request, response: Response) -> Actor:
        """The rater that the cookie names; a new one where there is none."""
        response.headers.update(PRIVATE)
        known = request.cookies.get(COOKIE, "")
        if not RATER.fullmatch(known):
            known = secrets.token_urlsafe(16)
            response.headers.append("Set-Cookie", _cookie(known, space))
        return Actor(name=f"rater-{known[:12]}", role=Role.RATER)

    return identify


def _cookie(rater: str, space: bool) -> str:
    # a Space sits in a frame of another site, where a Lax cookie is never sent
    where = "SameSite=None; Secure; Partitioned" if space else "SameSite=Lax"
    return f"{COOKIE}={rater}; Path=/; Max-Age={COOKIE_S}; HttpOnly; {where}"


def _listed(one: Round) -> Listed:
    return Listed(id=one.id, name=one.name, purpose=one.purpose, status=one.status)
