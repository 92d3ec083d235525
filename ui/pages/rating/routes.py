"""The rating routes: JSON for ui/static/rate.js, and the pages that colleagues open.

A rater is a random cookie, or one that stands for an invitation or an account. On this machine the
first is whoever sits at it; in an open Space they rate in their own projects alone, beside that of
an invitation; on a server that asks who somebody is there is no such rater. What goes out is
the `RaterState` of `votes` as HTML, plus counts: nothing here reads a comparison, so nothing here
can tell whose answer is whose.
"""

import re
import secrets
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import NotFound, SignedOut, UserError
from engine.core.rating import (
    REASONS,
    Feedback,
    FlagKind,
    FlagTarget,
    Mode,
    RaterState,
    Round,
    ShownComparison,
    ShownMode,
    VoteRequest,
)
from engine.services import projects
from engine.services.people import sign_in, visitors
from engine.services.rating import audit, flagged_comparisons, invites, plans, rounds, votes
from engine.workspace import Workspace
from ui.components.safe_text import to_html, to_plain
from ui.pages.rating import rater_page
from ui.web.prefix import route_path
from ui.web.session import COOKIE as SESSION
from ui.web.session import VISITOR, cookie, encrypted

COOKIE = "tl_rater"
COOKIE_S = 365 * 24 * 3600
RATER = re.compile(r"[A-Za-z0-9_-]{32}")  # secrets.token_urlsafe(24)
# before, the first twelve signs were the name of the rater; only on this machine, where everybody
# is the owner, may a browser go on under such a name, which whoever reads it could take for theirs
OLD_RATER = re.compile(r"(?![0-9a-f]{12})[A-Za-z0-9_-]{22}")
# the token of an invitation, with bits of the browser's own where it is for a few browsers
INVITED = re.compile(r"[A-Za-z0-9_-]{43}(\.[A-Za-z0-9_-]{22})?")
BREAK_EVERY = 25  # pairs, after which a rater is reminded of the world outside
NOT_A_VOTE = {"problem": "This is not a vote.", "fix": "Reload the page and vote again."}
PRIVATE = {"Cache-Control": "no-store"}


class RenderedComparison(BaseModel):
    """A comparison as the browser shows it: safe HTML, and the plain texts for edits."""

    token: str
    mode: ShownMode
    prompt_html: str
    left_html: str
    right_html: str
    left_text: str
    right_text: str
    more_html: list[str]  # the third and the fourth answer, where they are ranked
    more_text: list[str]
    done: int  # votes of this rater in this round
    total: int  # comparisons of the round that this rater can vote on
    can_undo: bool


class RaterScreen(BaseModel):
    """What the rating page shows now, and the comparison after it."""

    comparison: RenderedComparison | None
    ahead: RenderedComparison | None
    feedback: Feedback | None
    pause: str | None


def _stored_target(target: object) -> object:
    """The whole comparison is stored as "pair", which earlier pages also send."""
    return "pair" if target == "comparison" else target


class Held(BaseModel):
    """A comparison that this rater looks at, or leaves to others."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=64)


class Raised(Held):
    """What is wrong with a comparison; `target` is the prompt, a place, or the comparison."""

    target: Annotated[FlagTarget, BeforeValidator(_stored_target)]
    kind: FlagKind
    note: str = Field("", max_length=1000)


class Beaten(BaseModel):
    """The leases of this rater start anew."""

    ok: bool = True


class Guidelines(BaseModel):
    """What raters should go by; each version is read once."""

    version: str
    html: str


class Progress(BaseModel):
    """Votes of this rater and of all, and what the page of the round needs to know."""

    name: str
    purpose: str
    status: str
    mode: Mode
    done: int
    total: int
    all_done: int
    all_total: int
    reasons: tuple[str, ...] = REASONS
    guidelines: Guidelines
    break_every: int = BREAK_EVERY
    guest: bool  # their votes are kept apart and count in nothing
    left_today: int | None
    agreement_with_gold: dict[str, int] | None


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
                body = {"problem": error.problem, "fix": error.fix}
                return JSONResponse(body, error.status, PRIVATE)
            except RequestValidationError as error:
                await _written_down(request, error)
                return JSONResponse(NOT_A_VOTE, UserError.status, PRIVATE)

        return guarded


async def _written_down(request: Request, error: RequestValidationError) -> None:
    """Let the audit log say that this rater sent something that is no vote."""
    refuse: Callable[..., None] | None = getattr(request.state, "not_a_vote", None)
    if refuse and request.method == "POST":
        token = error.body.get("token") if isinstance(error.body, dict) else None
        await run_in_threadpool(refuse, token=token if isinstance(token, str) else "")


class _Page(APIRoute):
    """Turns a UserError into a page that says so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one page."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except SignedOut:
                wanted = route_path(request.scope)
                return RedirectResponse(f"/account/sign-in?then={wanted}", 303, PRIVATE)
            except UserError as error:
                return HTMLResponse(rater_page.refusal(error), error.status, PRIVATE)

        return guarded


def router(ws: Workspace, *, space: bool = False) -> APIRouter:
    """The JSON routes under /api/rate/ and the pages under /rate/."""
    rater = Depends(_identify(ws, space))
    found = APIRouter()
    found.include_router(_reading(ws, rater))
    found.include_router(_voting(ws, rater))
    found.include_router(_pages(ws, rater, space))
    return found


def _reading(ws: Workspace, rater: Any) -> APIRouter:
    api = APIRouter(prefix="/api/rate", route_class=_Route)
    Who = Annotated[Actor, rater]

    @api.get("/rounds")
    def list_rounds(project: str, who: Who) -> list[Listed]:
        return [_listed(one) for one in rounds.list_all(ws, who, project)]

    @api.get("/{round_id}/next")
    def next_pair(round_id: str, who: Who) -> RaterScreen:
        _round_of(ws, who, round_id)
        return _screen(votes.state(ws, who, round_id))

    @api.get("/{round_id}/progress")
    def progress(round_id: str, who: Who) -> Progress:
        return _progress(ws, who, _round_of(ws, who, round_id))

    return api


def _voting(ws: Workspace, rater: Any) -> APIRouter:
    api = APIRouter(prefix="/api/rate", route_class=_Route)
    Who = Annotated[Actor, rater]

    @api.post("/vote")
    def vote(asked: VoteRequest, who: Who) -> RaterScreen:
        return _screen(votes.vote(ws, who, asked))

    @api.post("/skip")
    def skip(left: Held, who: Who) -> RaterScreen:
        return _screen(votes.skip(ws, who, left.token))

    @api.post("/beat")
    def renew_leases(held: Held, who: Who) -> Beaten:
        votes.renew_leases(ws, who, held.token)
        return Beaten()

    @api.post("/flag")
    def flag(raised: Raised, who: Who) -> RaterScreen:
        return _screen(flagged_comparisons.add(ws, who, **raised.model_dump()))

    @api.post("/{round_id}/undo")
    def undo(round_id: str, who: Who) -> RaterScreen:
        _round_of(ws, who, round_id)
        return _screen(votes.undo(ws, who, round_id))

    return api


def _pages(ws: Workspace, rater: Any, space: bool) -> APIRouter:
    pages = APIRouter(route_class=_Page)
    Who = Annotated[Actor, rater]

    @pages.get("/rate/join/{token}")
    def join(request: Request, token: str) -> Response:
        there = RedirectResponse("/rate/open", 303, PRIVATE)
        known = request.cookies.get(COOKIE, "")
        if not known.startswith(f"{token}."):  # this browser was here before
            known = invites.join(ws, token)
        there.headers.append("Set-Cookie", _cookie(request, known, space))
        return there

    @pages.get("/rate/open", response_class=HTMLResponse)
    def mine(request: Request, who: Who) -> str:
        if who.projects is None and not ws.settings.sign_in:
            raise NotFound("This page is for people with an invitation.")
        known = projects.list_all(ws, who)
        found = [one for each in known for one in rounds.list_all(ws, who, each.id)]
        open_now = [one for one in found if one.status == "open"]
        return rater_page.choice(open_now, account=request.state.account)

    @pages.get("/rate/{round_id}", response_class=HTMLResponse)
    def rate(request: Request, round_id: str, who: Who) -> str:
        return rater_page.rating(_round_of(ws, who, round_id), account=request.state.account)

    return pages


def _screen(now: RaterState) -> RaterScreen:
    return RaterScreen(
        comparison=now.pair and _rendered(now.pair),
        ahead=now.ahead and _rendered(now.ahead),
        feedback=now.feedback,
        pause=now.pause,
    )


def _rendered(shown: ShownComparison) -> RenderedComparison:
    return RenderedComparison(
        token=shown.token,
        mode=shown.mode,
        prompt_html=to_html(shown.prompt),
        left_html=to_html(shown.left),
        right_html=to_html(shown.right),
        left_text=to_plain(shown.left),
        right_text=to_plain(shown.right),
        more_html=[to_html(text) for text in shown.more],
        more_text=[to_plain(text) for text in shown.more],
        done=shown.done,
        total=shown.total,
        can_undo=shown.can_undo,
    )


def _round_of(ws: Workspace, who: Actor, round_id: str) -> Round:
    """The round; one of a project that is not theirs does not exist for them."""
    with audit.record_foreign_round(ws, who, round_id):
        return rounds.get(ws, who, round_id)


def _progress(ws: Workspace, actor: Actor, rating_round: Round) -> Progress:
    text = rating_round.plan.guidelines or plans.GUIDELINES
    return Progress(
        name=rating_round.name,
        purpose=rating_round.purpose,
        status=rating_round.status,
        mode=rating_round.mode,
        guest=actor.role < Role.RATER,
        guidelines=Guidelines(version=plans.version(text), html=to_html(text)),
        **votes.progress(ws, actor, rating_round.id),
        **votes.own_progress(ws, actor, rating_round.id),
    )


def _identify(ws: Workspace, space: bool) -> Callable[[Request, Response], Actor]:
    def identify(request: Request, response: Response) -> Actor:
        """Whom the cookies name; where nobody need sign in, a new rater where there is none."""
        found = named(request, response)
        request.state.not_a_vote = partial(audit.refused, ws, found, "not_a_vote")
        return found

    def named(request: Request, response: Response) -> Actor:
        response.headers.update(PRIVATE)
        asks, token = ws.settings.sign_in, request.cookies.get(SESSION, "")
        signed = sign_in.actor(ws, token) if asks else None
        request.state.account = signed is not None
        if signed:
            return signed
        known = request.cookies.get(COOKIE, "")
        visitor = visitors.actor(ws, request.cookies.get(VISITOR, "")) if space else None
        own = (visitor and visitor.projects) or frozenset()
        if INVITED.fullmatch(known):
            found = invites.rater_of(invites.accept(ws, known))
            if asks or not space:
                return found
            return found.model_copy(update={"projects": (found.projects or own) | own})
        if asks:
            raise SignedOut("You are signed out.", "Sign in, or open your invitation again.")
        if not (RATER.fullmatch(known) or (OLD_RATER.fullmatch(known) and not space)):
            known = secrets.token_urlsafe(24)
            response.headers.append("Set-Cookie", _cookie(request, known, space))
        public = known if OLD_RATER.fullmatch(known) else ids.sha256(f"rater:{known}")
        rater = Actor(name=f"rater-{public[:12]}", role=Role.RATER)
        return rater.model_copy(update={"projects": own}) if space else rater

    return identify


def _cookie(request: Request, rater: str, space: bool) -> str:
    return cookie(COOKIE, rater, COOKIE_S, space=space, safe=encrypted(request))


def _listed(rating_round: Round) -> Listed:
    return Listed(
        id=rating_round.id,
        name=rating_round.name,
        purpose=rating_round.purpose,
        status=rating_round.status,
    )
