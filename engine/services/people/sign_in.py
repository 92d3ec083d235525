"""Signing in and out, how long a session lasts, and who a browser belongs to.

The browser holds 256 random bits; the database their hash, whose they are and when they were last
seen. Wrong passwords are counted in the database (throttle.py), so that a restart forgives nobody.
A clock that was set back ends no session and lengthens none.
"""

import time

from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor
from engine.core.errors import Conflict, NotFound, SignedOut, UserError
from engine.services.people import accounts, password, throttle
from engine.store import accounts as store_accounts
from engine.store import browsers, sessions
from engine.store.accounts import Person, PersonChange
from engine.store.connect import reading, writing
from engine.store.sessions import Session
from engine.workspace import Workspace

LONGEST_S, IDLE_S = 7 * 24 * 3600, 12 * 3600
NOTED_S = 300.0  # how old the note of when a browser was last seen may be
FORGIVEN_S = 24 * 3600  # by then every bucket of tries has leaked
KNOWN_S = 365 * 24 * 3600  # how long a browser stays known
WRONG = ("The name or the password is wrong.", "Try again, or ask the owner for a link.")
OVER = ("You are signed out.", "Reload the page and sign in.")


def begin(ws: Workspace, token: str) -> tuple[str, bool]:
    """Whose link it is, and whether they may still choose their name; NotFound for no link.

    Nobody has named the first owner yet, so that name is empty.
    """
    with reading(ws.db) as conn:
        person = _linked(conn, token)
    return "" if person.name == accounts.FIRST else person.name, person.password is None


def accept(ws: Workspace, token: str, name: str, chosen: str) -> str:
    """Use a link: the password is set, other browsers are signed out, this one is signed in.

    The name is taken from whoever has no password yet: until then it stands in no vote and no
    version. Returns what the browser keeps.
    """
    password.check(chosen)
    kept = password.hash_password(chosen)
    with accounts.changing(ws) as conn:
        person = _linked(conn, token)
        values: PersonChange = {"password": kept, "link_sha256": None, "link_until": None}
        if person.password is None:
            clean = accounts.check_name(name)
            twin = store_accounts.find_by_name(conn, accounts.key(clean))
            if twin and twin.id != person.id:
                raise UserError(f"Somebody is called {clean} already.", "Choose another name.")
            values["name"], values["name_key"] = clean, accounts.key(clean)
        store_accounts.change(conn, person.id, **values)
        sessions.end_all(conn, person.id)
        browsers.drop_person(conn, person.id)
        return _start_session(conn, person)


def sign_in(ws: Workspace, name: str, tried: str, address: str = "", browser: str = "") -> str:
    """What the browser keeps; UserError for a wrong pair, Forbidden for too many of them.

    `browser` is what it holds from an earlier `remember`.
    """
    key, now = accounts.key(name)[:80], time.time()
    with accounts.changing(ws) as conn:
        person = store_accounts.find_by_name(conn, key)
        held = ids.sha256(browser) if browser else ""
        known = person is not None and bool(held) and browsers.knows(conn, held, person.id)
        buckets = (
            throttle.for_known(held, person.id)
            if person is not None and known
            else throttle.for_unknown(key, address)
        )
        wait = throttle.take(conn, buckets, now)
    throttle.check(wait)
    right = password.fits(tried, person.password if person and person.password else password.NOBODY)
    if person is None or not person.password or person.status != "active" or not right:
        raise UserError(*WRONG)
    with accounts.changing(ws) as conn:
        throttle.give_back(conn, buckets)
        sessions.forgive_older(conn, now - FORGIVEN_S)
        return _start_session(conn, person)


def remember(ws: Workspace, token: str, browser: str = "") -> str:
    """What a browser keeps besides the session, so that its person's own tries count apart.

    `browser` is what it held before: whoever else signed in there stays known. SignedOut where the
    session stands for nobody.
    """
    made, now = ids.token(), time.time()
    with accounts.changing(ws) as conn:
        here = sessions.get(conn, ids.sha256(token))
        if here is None:
            raise SignedOut(*OVER)
        if browser:
            browsers.rename(conn, ids.sha256(browser), ids.sha256(made))
        browsers.remember(conn, ids.sha256(made), here.person_id, now)
        browsers.drop_older(conn, now - KNOWN_S)
    return made


def actor(ws: Workspace, token: str) -> Actor | None:
    """Whom what a browser holds stands for, now; None once it stands for nobody."""
    now, wanted = time.time(), ids.sha256(token)
    with reading(ws.db) as conn:
        here = sessions.get(conn, wanted) if token else None
        ahead = here is not None and max(here.created_at, here.seen_at) > now
        person = store_accounts.get(conn, here.person_id) if here and not _over(here, now) else None
        if here is None or person is None or person.status != "active":
            return None
        joined = store_accounts.projects_of(conn, person.id)
    if ahead or now - here.seen_at > NOTED_S:
        with writing(ws.db) as conn:
            sessions.note_use(conn, wanted, now)
    role = accounts.ROLES[person.role]
    everywhere = role >= accounts.ROLES["owner"]
    return Actor(name=person.name, role=role, projects=None if everywhere else joined)


def require(ws: Workspace, token: str) -> Actor:
    """The same; SignedOut where there is nobody."""
    found = actor(ws, token)
    if found is None:
        raise SignedOut(*OVER)
    return found


def sign_out(ws: Workspace, token: str) -> None:
    """Let this browser stand for nobody any more."""
    with writing(ws.db) as conn:
        sessions.end(conn, ids.sha256(token))


def change_password(ws: Workspace, token: str, old: str, new: str) -> str:
    """Set a new password; every browser is signed out, and this one holds what comes back."""
    password.check(new)
    found = require(ws, token)
    with accounts.changing(ws) as conn:
        person = store_accounts.find_by_name(conn, accounts.key(found.name))
        if person is None:
            raise SignedOut(*OVER)
        tries = [throttle.Bucket(f"old:{person.id}", throttle.OLD_PASSWORD)]
        wait = throttle.take(conn, tries, time.time())
    throttle.check(wait)
    if not person.password or not password.fits(old, person.password):
        raise UserError("The old password is not right.", "Type it again.")
    kept = password.hash_password(new)
    with accounts.changing(ws) as conn:
        throttle.give_back(conn, tries)
        store_accounts.change(conn, person.id, password=kept)
        sessions.end_all(conn, person.id)
        browsers.drop_person(conn, person.id)
        return _start_session(conn, person)


def _linked(conn: Connection, token: str) -> Person:
    person = store_accounts.with_link(conn, ids.sha256(token))
    if person is None or person.status != "active":
        raise NotFound("This link is not valid; each works once.", "Ask the owner for a new one.")
    if (person.link_until or 0) < time.time():
        raise Conflict("This link is older than a week.", "Ask the owner for a new one.")
    return person


def _start_session(conn: Connection, one: Person) -> str:
    token, now = ids.token(), time.time()
    sessions.end_older(conn, now - LONGEST_S, now - IDLE_S)
    sessions.add(conn, Session(ids.sha256(token), one.id, now, now))
    return token


def _over(here: Session, now: float) -> bool:
    return now - here.created_at > LONGEST_S or now - here.seen_at > IDLE_S + NOTED_S
