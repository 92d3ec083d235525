"""Accounts: an owner adds people and says what they may do and in which projects.

Nobody chooses a password for somebody else: an account begins, and begins anew when its password
is lost, with a link that works once, for a week, and of which only the hash is kept.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.ids import sha256
from engine.services import access
from engine.store import accounts, sessions
from engine.store.accounts import Person
from engine.store.connect import alone, reading, writing
from engine.workspace import Workspace

LINK_S = 7 * 24 * 3600
NAME = re.compile(r"\w(?:[\w .'-]{0,58}[\w.])?")
RESERVED = re.compile(
    r"(local|guest|owner|rater|simulated|deleted|visitor)\b"
)  # actors of the program itself
ROLES = {"owner": Role.OWNER, "trainer": Role.TRAINER, "rater": Role.RATER}
FIRST = "Owner"


class Account(BaseModel):
    """A person as the owner sees them; `projects` is empty for an owner, who is in all of them."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    role: str
    status: str
    has_password: bool
    has_link: bool
    projects: tuple[str, ...]


@contextmanager
def changing(ws: Workspace) -> Iterator[Connection]:
    """A transaction that nobody else changes accounts beside."""
    with writing(ws.db) as conn:
        alone(conn, accounts.ONE_WRITER)
        yield conn


def anybody(ws: Workspace) -> bool:
    """Whether there is any account: then the page asks who somebody is."""
    with reading(ws.db) as conn:
        return bool(accounts.list_all(conn))


def list_all(ws: Workspace, actor: Actor) -> list[Account]:
    """In the order of their names."""
    actor.require(Role.OWNER)
    with reading(ws.db) as conn:
        people = accounts.list_all(conn)
        return [_account(one, accounts.projects_of(conn, one.id)) for one in people]


def get(ws: Workspace, actor: Actor, person_id: str) -> Account:
    """The account; NotFound otherwise."""
    actor.require(Role.OWNER)
    with reading(ws.db) as conn:
        return _account(*_person(conn, person_id))


def find_by_name(ws: Workspace, actor: Actor, name: str) -> Account:
    """The account of that name, however it is capitalised; NotFound otherwise."""
    actor.require(Role.OWNER)
    with reading(ws.db) as conn:
        person = accounts.find_by_name(conn, key(name))
        if person is None:
            raise NotFound(f"Nobody is called {name!r}.", "See the list: tuneloop people list")
        return _account(person, accounts.projects_of(conn, person.id))


def add(
    ws: Workspace, actor: Actor, name: str, role: str, project_ids: list[str] | None = None
) -> tuple[Account, str]:
    """A new account, and the token of the link with which its person begins."""
    actor.require(Role.OWNER)
    new, token = _new(actor, check_name(name), role)
    with changing(ws) as conn:
        if accounts.find_by_name(conn, new.name_key):
            raise UserError(f"{new.name} has an account already.", "Give them a new link instead.")
        accounts.add(conn, new)
        joined = _join(conn, actor, new, project_ids or [])
    return _account(new, joined), token


def new_link(ws: Workspace, actor: Actor, person_id: str) -> str:
    """The token of a link that sets a new password; an earlier link opens nothing any more.

    Who is signed in stays so until the link is used.
    """
    actor.require(Role.OWNER)
    token = ids.token()
    with changing(ws) as conn:
        one, _ = _person(conn, person_id)
        if one.status == "closed":
            raise Conflict(f"The account of {one.name} is closed.", "Open it first.")
        until = time.time() + LINK_S
        accounts.change(conn, one.id, link_sha256=sha256(token), link_until=until)
    return token


def _has_working_link(person: Person) -> bool:
    return person.link_sha256 is not None and (person.link_until or 0) > time.time()


def first_link(ws: Workspace) -> str | None:
    """The token of a link for the first owner; None once an owner can sign in.

    None too while an owner whom somebody named has a link that still works: it was given to them.
    """
    with reading(ws.db) as conn:
        owners = [one for one in accounts.list_all(conn) if one.role == "owner"]
    if any(one.password and one.status == "active" for one in owners):
        return None
    waiting = [one for one in owners if one.status == "active"]
    if any(one.name != FIRST and _has_working_link(one) for one in waiting):
        return None
    if waiting:
        return new_link(ws, LOCAL, waiting[0].id)
    new, token = _new(LOCAL, FIRST, "owner")
    with changing(ws) as conn:
        accounts.add(conn, new)
    return token


def change(
    ws: Workspace, actor: Actor, person_id: str, role: str, project_ids: list[str]
) -> Account:
    """What a person may do, and where; it holds from their next click on."""
    actor.require(Role.OWNER)
    with changing(ws) as conn:
        one, _ = _person(conn, person_id)
        if _role(role) < Role.OWNER:
            _check_not_last(conn, one)
        accounts.change(conn, one.id, role=role)
        accounts.leave(conn, one.id)
        joined = _join(conn, actor, one._replace(role=role), project_ids)
        return _account(one._replace(role=role), joined)


def close(ws: Workspace, actor: Actor, person_id: str) -> Account:
    """Let a person sign in no more, and sign them out; all that they did stays."""
    actor.require(Role.OWNER)
    with changing(ws) as conn:
        one, joined = _person(conn, person_id)
        _check_not_last(conn, one)
        accounts.change(conn, one.id, status="closed", link_sha256=None, link_until=None)
        sessions.end_all(conn, one.id)
        return _account(one._replace(status="closed", link_sha256=None), joined)


def reopen(ws: Workspace, actor: Actor, person_id: str) -> Account:
    """Let a person whose account was closed sign in again, with the password they had."""
    actor.require(Role.OWNER)
    with changing(ws) as conn:
        one, joined = _person(conn, person_id)
        accounts.change(conn, one.id, status="active")
        return _account(one._replace(status="active"), joined)


def where(one: Account, project_names: Mapping[str, str]) -> str:
    """The projects that somebody is in, by name."""
    if one.role == "owner":
        return "all projects"
    known = [project_names[each] for each in one.projects if each in project_names]
    return ", ".join(known) or "no project"


def check_name(name: str) -> str:
    """The name as it is kept; UserError where it can't be anybody's."""
    clean = _clean(name)
    if not NAME.fullmatch(clean):
        raise UserError(
            "An account needs a person's name.", "Letters, digits, spaces and . ' - up to 60."
        )
    if RESERVED.match(clean.casefold()):
        raise UserError(f"{clean} is a name of the program's own.", "Choose another.")
    return clean


def key(name: str) -> str:
    """A name as it is compared."""
    return _clean(name).casefold()


def _new(actor: Actor, name: str, role: str) -> tuple[Person, str]:
    _role(role)
    token, now = ids.token(), time.time()
    new = Person(
        id=ids.new("person"), name=name, name_key=key(name), role=role, status="active",
        created_by=actor.name, password=None, link_sha256=sha256(token), link_until=now + LINK_S,
        created_at=now,
    )  # fmt: skip
    return new, token


def _clean(name: str) -> str:
    return " ".join(name.split())


def _role(role: str) -> Role:
    if role not in ROLES:
        raise UserError(f"There is no role {role!r}.", f"Choose one of: {', '.join(ROLES)}.")
    return ROLES[role]


def _join(conn: Connection, actor: Actor, one: Person, project_ids: list[str]) -> frozenset[str]:
    """The projects that a person is in from now on; an owner is in all without being named."""
    wanted = frozenset(project_ids if one.role != "owner" else ())
    for project_id in sorted(wanted):
        access.project(conn, actor, project_id)
        accounts.join(conn, one.id, project_id)
    return wanted


def _check_not_last(conn: Connection, one: Person) -> None:
    """Conflict where nobody would be left who can let others in."""
    others = [
        each
        for each in accounts.list_all(conn)
        if each.role == "owner" and each.status == "active" and each.password and each.id != one.id
    ]
    if one.role == "owner" and one.status == "active" and not others:
        raise Conflict(f"{one.name} is the only owner.", "Make somebody else an owner first.")


def _person(conn: Connection, person_id: str) -> tuple[Person, frozenset[str]]:
    person = accounts.get(conn, person_id)
    if person is None:
        raise NotFound("There is no such account.", "Choose one of the list.")
    return person, accounts.projects_of(conn, person_id)


def _account(one: Person, joined: frozenset[str]) -> Account:
    return Account(
        id=one.id, name=one.name, role=one.role, status=one.status,
        has_password=one.password is not None, has_link=one.link_sha256 is not None,
        projects=tuple(sorted(joined)),
    )  # fmt: skip
