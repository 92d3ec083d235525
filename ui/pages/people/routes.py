"""The routes under /account: sign in and out, one's password, and who may come in.

Every form is sent by POST from a page of this server (ui/web/security.py checks), and
answered by the page with what was done or what to do about it.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from engine.core.actor import Actor, Role
from engine.core.errors import SignedOut, UserError
from engine.http_limits import LOOPBACK, host_name
from engine.services import projects
from engine.services.people import accounts, sign_in
from engine.workspace import Workspace
from ui.pages.people import render
from ui.web.prefix import prefix_of
from ui.web.session import BROWSER, COOKIE, cookie, encrypted

PRIVATE = {"Cache-Control": "no-store"}
INSIDE = re.compile(r"/(rate/[A-Za-z0-9-]{1,64}|account)?")  # where a sign-in may lead
INCOMPLETE = "The form was not complete. Fill in every field."

Text = Annotated[str, Form(max_length=200)]
Several = Annotated[list[str], Form()]


class _Page(APIRoute):
    """Turns a UserError into a page that says so, and a stranger away to the sign-in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one page."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                answer = await handler(request)
            except SignedOut:
                answer = RedirectResponse("/account/sign-in?then=/account", 303)
            except UserError as error:
                answer = HTMLResponse(render.refusal(error.problem, error.fix), error.status)
            except RequestValidationError:
                answer = HTMLResponse(render.refusal(INCOMPLETE, ""), 422)
            answer.headers.update(PRIVATE)
            return answer

        return guarded


def router(ws: Workspace, *, space: bool = False) -> APIRouter:
    """All pages of the account, on a server that asks who somebody is."""
    found = APIRouter(prefix="/account", route_class=_Page)
    _coming(found, ws, space)
    _own(found, ws, space)
    _others(found, ws)
    return found


def _coming(pages_of: APIRouter, ws: Workspace, space: bool) -> None:
    @pages_of.get("/sign-in")
    def ask(request: Request, then: str = "/") -> Response:
        if sign_in.actor(ws, _token(request)):
            return RedirectResponse(_inside(then), 303)
        return HTMLResponse(render.sign_in(_inside(then), unsafe=_unsafe(request)))

    @pages_of.post("/sign-in")
    def come(request: Request, name: Text, password: Text, then: Text = "/") -> Response:
        address = request.client.host if request.client else ""
        try:
            browser = request.cookies.get(BROWSER, "")
            token = sign_in.sign_in(ws, name, password, address, browser)
        except UserError as error:
            again = render.sign_in(_inside(then), name, str(error), unsafe=_unsafe(request))
            return HTMLResponse(again, error.status)
        return _let_in(ws, request, token, _inside(then), space)

    @pages_of.get("/welcome/{token}")
    def welcome(request: Request, token: str) -> Response:
        name, free = sign_in.begin(ws, token)
        return HTMLResponse(render.welcome(token, name, free=free, unsafe=_unsafe(request)))

    @pages_of.post("/welcome/{token}")
    def accept(request: Request, token: str, name: Text, password: Text, again: Text) -> Response:
        known, free = sign_in.begin(ws, token)
        try:
            _same(password, again)
            made = sign_in.accept(ws, token, name, password)
        except UserError as error:
            shown = name if free else known
            page = render.welcome(
                token, shown, free=free, message=str(error), unsafe=_unsafe(request)
            )
            return HTMLResponse(page, error.status)
        return _let_in(ws, request, made, "/", space)


def _own(pages_of: APIRouter, ws: Workspace, space: bool) -> None:
    @pages_of.get("")
    def mine(request: Request) -> Response:
        return HTMLResponse(_account(ws, sign_in.require(ws, _token(request))))

    @pages_of.post("/password")
    def password(request: Request, old: Text, password: Text, again: Text) -> Response:
        actor = sign_in.require(ws, _token(request))
        try:
            _same(password, again)
            token = sign_in.change_password(ws, _token(request), old, password)
        except SignedOut:
            raise
        except UserError as error:
            return HTMLResponse(_account(ws, actor, str(error)), error.status)
        done = HTMLResponse(_account(ws, actor, "Your password is changed."))
        for each in _cookies(ws, request, token, space):
            done.headers.append("Set-Cookie", each)
        return done

    @pages_of.post("/sign-out")
    def leave(request: Request) -> Response:
        sign_in.sign_out(ws, _token(request))
        gone = RedirectResponse("/account/sign-in", 303)
        gone.headers.append("Set-Cookie", _cookie(request, "", space))
        return gone


def _others(pages_of: APIRouter, ws: Workspace) -> None:
    def person(request: Request, one_id: str, message: str = "", link: str = "") -> HTMLResponse:
        actor = sign_in.require(ws, _token(request))
        account = accounts.get(ws, actor, one_id)
        return HTMLResponse(render.person(account, _projects(ws, actor), message, link))

    @pages_of.post("/people")
    def add(request: Request, name: Text, role: Text, projects: Several = []) -> Response:  # noqa: B006
        actor = sign_in.require(ws, _token(request))
        try:
            one, token = accounts.add(ws, actor, name, role, projects)
        except UserError as error:
            return HTMLResponse(_account(ws, actor, str(error)), error.status)
        return person(request, one.id, f"{one.name} has an account.", _link(request, token))

    @pages_of.get("/people/{one_id}")
    def show(request: Request, one_id: str) -> Response:
        return person(request, one_id)

    @pages_of.post("/people/{one_id}")
    def change(request: Request, one_id: str, role: Text, projects: Several = []) -> Response:  # noqa: B006
        actor = sign_in.require(ws, _token(request))
        accounts.change(ws, actor, one_id, role, projects)
        return person(request, one_id, "Saved.")

    @pages_of.post("/people/{one_id}/link")
    def link(request: Request, one_id: str) -> Response:
        actor = sign_in.require(ws, _token(request))
        token = accounts.new_link(ws, actor, one_id)
        return person(request, one_id, link=_link(request, token))

    @pages_of.post("/people/{one_id}/{what}")
    def door(request: Request, one_id: str, what: Literal["close", "reopen"]) -> Response:
        actor = sign_in.require(ws, _token(request))
        account = (accounts.close if what == "close" else accounts.reopen)(ws, actor, one_id)
        done = "is closed and signed out" if what == "close" else "can sign in again"
        return person(request, one_id, f"{account.name} {done}.")


def _account(ws: Workspace, actor: Actor, message: str = "") -> str:
    owner = actor.role >= Role.OWNER
    people = accounts.list_all(ws, actor) if owner else None
    return render.account(actor, people, _projects(ws, actor) if owner else {}, message)


def _projects(ws: Workspace, actor: Actor) -> dict[str, str]:
    return {one.id: one.name for one in projects.list_all(ws, actor)}


def _same(password: str, again: str) -> None:
    if password != again:
        raise UserError("The two passwords are not the same.", "Type them again.")


def _inside(then: str) -> str:
    """A path of this server, whatever an address asked for."""
    return then if INSIDE.fullmatch(then) else "/"


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


def _unsafe(request: Request) -> bool:
    """Whether a password would travel over a network in the clear."""
    return not encrypted(request) and host_name(request.headers) not in LOOPBACK


def _link(request: Request, token: str) -> str:
    scheme = "https" if encrypted(request) else request.url.scheme
    return f"{scheme}://{request.url.netloc}{prefix_of(request.scope)}/account/welcome/{token}"


def _let_in(ws: Workspace, request: Request, token: str, there: str, space: bool) -> Response:
    rater = sign_in.require(ws, token).role < Role.TRAINER
    answer = RedirectResponse("/rate/open" if rater and there == "/" else there, 303)
    if before := _token(request):  # whoever was signed in in this browser is so no more
        sign_in.sign_out(ws, before)
    for each in _cookies(ws, request, token, space):
        answer.headers.append("Set-Cookie", each)
    return answer


def _cookies(ws: Workspace, request: Request, token: str, space: bool) -> tuple[str, str]:
    """The session, and what lets this browser be known at the next sign-in."""
    browser = sign_in.remember(ws, token, request.cookies.get(BROWSER, ""))
    kept = cookie(BROWSER, browser, int(sign_in.KNOWN_S), space=space, safe=encrypted(request))
    return _cookie(request, token, space), kept


def _cookie(request: Request, token: str, space: bool) -> str:
    age = int(sign_in.LONGEST_S) if token else 0
    return cookie(COOKIE, token, age, space=space, safe=encrypted(request))
