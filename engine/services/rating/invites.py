"""Links that let a person rate the open rounds of one project, and nothing else.

The token is in the link alone; the database holds its hash, so that nobody who reads the database
can rate in somebody's name.
"""

import time

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.services import access
from engine.store import invites
from engine.store.connect import reading, writing
from engine.store.invites import Invite as Invite
from engine.workspace import Workspace

NAME_LENGTH = 60


def make(ws: Workspace, actor: Actor, project_id: str, rater_name: str) -> str:
    """The token of a new link for a person of this name; it can't be read again later."""
    actor.require(Role.TRAINER)
    name = " ".join(rater_name.split())
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise UserError(
            "An invitation needs the name of a person.", f"Give 1 to {NAME_LENGTH} characters."
        )
    token = ids.token()
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = invites.list_all(conn, project_id)
        if name in {each.rater for each in known if each.status == "active"}:
            raise UserError(f"{name} is invited already.", "Withdraw that link for a new one.")
        new = Invite(
            id=ids.new("invite"),
            project_id=project_id,
            rater=name,
            token_sha256=ids.sha256(token),
            status="active",
            created_by=actor.name,
            created_at=time.time(),
        )
        invites.add(conn, new)
    return token


def accept(ws: Workspace, token: str) -> Invite:
    """The invitation that a link stands for; NotFound or Forbidden where it opens nothing."""
    with reading(ws.db) as conn:
        found = invites.with_token(conn, ids.sha256(token))
    if found is None:
        raise NotFound("This link is no invitation.", "Ask for a new one.")
    if found.status != "active":
        raise Forbidden("This invitation was withdrawn.", "Ask for a new one.")
    return found


def rater_of(found: Invite) -> Actor:
    """Who an invited person is in votes: their name and, since names repeat, their invitation."""
    return Actor(
        name=f"{found.rater} ({found.id[-10:]})",
        role=Role.RATER,
        projects=frozenset({found.project_id}),
    )


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Invite]:
    """Newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return invites.list_all(conn, project_id)


def revoke(ws: Workspace, actor: Actor, invite_id: str) -> None:
    """Withdraw an invitation; the votes cast with it stay."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        found = invites.get(conn, invite_id)
        if found is None or not actor.sees(found.project_id):
            raise NotFound("There is no such invitation.", "Choose one of the list.")
        invites.revoke(conn, invite_id)
