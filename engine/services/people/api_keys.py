"""API keys: a program asks in the name of the person who made its key, in one project.

A key is shown once; the database holds its hash. What it may do is what its maker may do at the
moment of the request, so that a closed account closes its keys too.
"""

import secrets
import time

from pydantic import BaseModel, ConfigDict

from engine.core import ids, names
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, NotFound, SignedOut, UserError
from engine.services import access
from engine.services.people import acting
from engine.store import api_keys
from engine.store.api_keys import KeyRow
from engine.store.connect import reading, writing
from engine.workspace import Workspace

PREFIX = "tl-"
NAME_LENGTH = 60
PER_MINUTE, MOST_PER_MINUTE = 600, 60_000
SEEN_EVERY_S = 60.0  # how often the time of a key's last use is written


class ApiKey(BaseModel):
    """A key as its project sees it; times in epoch seconds."""

    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    name: str
    status: str
    captures: bool
    requests_per_minute: int
    created_by: str
    created_at: float
    used_at: float | None


def make(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    name: str,
    *,
    captures: bool = False,
    requests_per_minute: int = PER_MINUTE,
) -> tuple[ApiKey, str]:
    """A new key and its token, which can't be read again later.

    With `captures` the prompts and answers of its requests are kept, for feedback and for rating.
    """
    actor.require(Role.TRAINER)
    cleaned = names.one_line(name, NAME_LENGTH, "A key needs a name.")
    if not 1 <= requests_per_minute <= MOST_PER_MINUTE:
        raise UserError(
            "A key allows 1 to 60,000 requests a minute.", f"Give a number up to {MOST_PER_MINUTE}."
        )
    token = PREFIX + secrets.token_urlsafe(32)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        open_names = {one.name for one in api_keys.list_all(conn, project_id) if _is_open(one)}
        if cleaned in open_names:
            raise Conflict(f"There is an open key {cleaned!r}.", "Choose another name.")
        new = KeyRow(
            id=ids.new("key"),
            project_id=project_id,
            name=cleaned,
            token_sha256=ids.sha256(token),
            status="open",
            created_by=actor.name,
            captures=captures,
            requests_per_minute=requests_per_minute,
            created_at=time.time(),
        )
        api_keys.add(conn, new)
    return _shown(new), token


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[ApiKey]:
    """The keys of a project, newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return [_shown(one) for one in api_keys.list_all(conn, project_id)]


def close(ws: Workspace, actor: Actor, key_id: str) -> ApiKey:
    """Let a key open nothing any more; what was asked with it stays."""
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        known = api_keys.get(conn, key_id)
        if known is None or not actor.sees(known.project_id):
            raise NotFound("There is no such key.", "Choose one of the list.")
        api_keys.change(conn, key_id, status="closed")
        return _shown(known._replace(status="closed"))


def holder(ws: Workspace, token: str) -> tuple[ApiKey, Actor]:
    """The key with this token, and whom it acts for; SignedOut where it opens nothing.

    Forbidden where its maker's account is closed, or they left the project.
    """
    now = time.time()
    with reading(ws.db) as conn:
        known = api_keys.with_token(conn, ids.sha256(token))
        if known is None or not _is_open(known):
            raise SignedOut("This API key opens nothing.", "Ask for a new key.")
        actor = acting.as_now(conn, known.created_by, known.project_id)
    if known.used_at is None or now - known.used_at > SEEN_EVERY_S:
        with writing(ws.db) as conn:
            api_keys.change(conn, known.id, used_at=now)
    return _shown(known), actor


def _is_open(one: KeyRow) -> bool:
    return one.status == "open"


def _shown(one: KeyRow) -> ApiKey:
    return ApiKey.model_validate({k: v for k, v in one._asdict().items() if k != "token_sha256"})
