"""Links that let a person rate the open rounds of one project, and nothing else.

The token is in the link alone; the database holds its hash, so that nobody who reads the database
can rate in somebody's name. An invitation may end, and may be for a few browsers: what such a
browser holds is the token and random bits of its own, and it counts when it first comes back with
them, so that a program that only looks at a link uses nothing up.
"""

import secrets
import time
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.core import ids, names
from engine.core.actor import Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.services import access
from engine.store import invites
from engine.store.connect import alone, reading, writing
from engine.store.invites import Invite as Invite
from engine.workspace import Workspace

NAME_LENGTH = 60
DAYS = 30  # after which an invitation ends unless its maker says otherwise
MOST_DAYS, MOST_BROWSERS = 3650, 100
DAY_S = 24 * 3600
ONE_WRITER = 7286148  # see connect.alone
State = Literal["open", "withdrawn", "ended", "used up"]


class Invitation(BaseModel):
    """An invitation as its maker sees it; `browsers` are counted where their number is limited."""

    model_config = ConfigDict(frozen=True)

    id: str
    rater: str
    status: Literal["active", "revoked"]
    state: State
    created_at: float
    ends_at: float | None
    browsers: int
    most_browsers: int | None
    sentence: str  # how long it opens the Rating page, and in how many browsers


def make(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    rater_name: str,
    *,
    days: int | None = DAYS,
    most_browsers: int | None = None,
) -> str:
    """The token of a new link for a person of this name; it can't be read again later.

    It opens the Rating page for so many days, in so many browsers; without limit where None.
    """
    actor.require(Role.TRAINER)
    name = names.one_line(rater_name, NAME_LENGTH, "An invitation needs the name of a person.")
    _check_limit("days", days, MOST_DAYS)
    _check_limit("browsers", most_browsers, MOST_BROWSERS)
    token, now = ids.token(), time.time()
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = invites.list_all(conn, project_id)
        if name in {one.rater for one in known if _state(one, 0, now) == "open"}:
            raise UserError(f"{name} is invited already.", "Withdraw that link for a new one.")
        new = Invite(
            id=ids.new("invite"),
            project_id=project_id,
            rater=name,
            token_sha256=ids.sha256(token),
            status="active",
            created_by=actor.name,
            created_at=now,
            ends_at=None if days is None else now + days * DAY_S,
            most_browsers=most_browsers,
        )
        invites.add(conn, new)
    return token


def accept(ws: Workspace, held: str) -> Invite:
    """The invitation that a link, or what a browser holds, stands for.

    NotFound or Forbidden where it opens nothing. A browser that comes back for the first time is
    counted where the invitation is for a few.
    """
    token, _, own = held.partition(".")
    with reading(ws.db) as conn:
        invite = invites.with_token(conn, ids.sha256(token))
        known = (
            invite is not None and bool(own) and invites.knows(conn, ids.sha256(held), invite.id)
        )
    if invite is None:
        raise NotFound("This link is no invitation.", "Ask for a new one.")
    _check_open(invite)
    if invite.most_browsers is not None and not known:
        _open(ws, invite, invite.most_browsers, held if own else "")
    return invite


def join(ws: Workspace, token: str) -> str:
    """What a browser that opens a link holds from now on; NotFound or Forbidden as for `accept`."""
    with reading(ws.db) as conn:
        invite = invites.with_token(conn, ids.sha256(token))
    if invite is None or invite.most_browsers is None:
        accept(ws, token)
        return token
    _check_open(invite)
    with reading(ws.db) as conn:
        _check_count(invites.count_browsers(conn, invite.id), invite.most_browsers)
    return f"{token}.{secrets.token_urlsafe(16)}"


def rater_of(found: Invite) -> Actor:
    """Who an invited person is in votes: their name and, since names repeat, their invitation."""
    return Actor(
        name=f"{found.rater} ({found.id[-10:]})",
        role=Role.RATER,
        projects=frozenset({found.project_id}),
    )


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Invitation]:
    """Newest first."""
    actor.require(Role.TRAINER)
    now = time.time()
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        counted = invites.browsers(conn, project_id)
        return [
            _listed(one, counted.get(one.id, 0), now) for one in invites.list_all(conn, project_id)
        ]


def revoke(ws: Workspace, actor: Actor, invite_id: str) -> None:
    """Withdraw an invitation; the votes cast with it stay."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        invite = invites.get(conn, invite_id)
        if invite is None or not actor.sees(invite.project_id):
            raise NotFound("There is no such invitation.", "Choose one of the list.")
        invites.revoke(conn, invite_id)


def _listed(one: Invite, browsers: int, now: float) -> Invitation:
    state = _state(one, browsers, now)
    return Invitation(
        id=one.id, rater=one.rater, status=one.status, state=state, created_at=one.created_at,
        ends_at=one.ends_at, browsers=browsers, most_browsers=one.most_browsers,
        sentence=_sentence(one, state, browsers),
    )  # fmt: skip


def _sentence(one: Invite, state: State, browsers: int) -> str:
    if state == "withdrawn":
        return "withdrawn"
    ends = "never ends"
    if one.ends_at is not None:
        verb = "ended" if state == "ended" else "ends"
        ends = f"{verb} on {time.strftime('%Y-%m-%d', time.localtime(one.ends_at))}"
    many = "" if one.most_browsers is None else f"; {browsers} of {one.most_browsers} browsers"
    return f"{ends}{many}"


def _state(one: Invite, browsers: int, now: float) -> State:
    if one.status != "active":
        return "withdrawn"
    if one.ends_at is not None and one.ends_at <= now:
        return "ended"
    full = one.most_browsers is not None and browsers >= one.most_browsers
    return "used up" if full else "open"


def _open(ws: Workspace, found: Invite, most: int, held: str) -> None:
    """Count a browser that comes back with `held` for the first time."""
    if not held:
        raise Forbidden("This invitation is opened by its link.", "Open the link once more.")
    with writing(ws.db) as conn:
        alone(conn, ONE_WRITER)
        if invites.knows(conn, ids.sha256(held), found.id):
            return
        _check_count(invites.count_browsers(conn, found.id), most)
        invites.opened(conn, ids.sha256(held), found.id, time.time())


def _check_open(found: Invite) -> None:
    state = _state(found, 0, time.time())
    if state == "withdrawn":
        raise Forbidden("This invitation was withdrawn.", "Ask for a new one.")
    if state == "ended":
        raise Forbidden("This invitation has ended.", "Ask for a new one.")


def _check_count(count: int, most: int) -> None:
    if count >= most:
        many = "one browser" if most == 1 else f"{most} browsers"
        raise Forbidden(
            f"This invitation is for {many} and has been opened in as many.", "Ask for a new one."
        )


def _check_limit(what: str, given: int | None, most: int) -> None:
    if given is not None and not 1 <= given <= most:
        raise UserError(
            f"An invitation has 1 to {most} {what}, or no limit.", f"Give a number up to {most}."
        )
