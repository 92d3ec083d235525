"""The audit log: votes that were refused, and who looked at an open blind round.

An entry names a person, a round and a pair, never a token, a model, a side or a text of a model.
It is written in a transaction of its own, since the refused one is rolled back. Whoever is refused
again and again can't fill the disk: the same within a minute is one entry with a count, and of each
kind a day has MOST entries, then one more that counts the rest.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Forbidden, NotFound, Unavailable, UserError
from engine.core.rating import Round, Tally, tally_words
from engine.services import access
from engine.store import audit, rater_reviews, rounds, votes
from engine.store.audit import Entry, Kind
from engine.store.connect import alone, reading, writing
from engine.workspace import Workspace

MINUTE_S, DAY_S = 60, 24 * 3600
MOST = 200  # entries of a kind a day
MOST_TIMES = 10_000  # what an entry counts up to
SHOWN = 200
REASON_LENGTH = 500
OTHERS = "more people"
DESCRIPTIONS: dict[Kind, str] = {
    "forged_token": "sent a vote with an unknown token; it was refused",
    "others_token": "sent a vote on another rater's comparison; it was refused",
    "foreign_round": "asked for a round outside their invitation; it was refused",
    "closed_round": "sent a vote in a round that is not open; it was refused",
    "not_a_vote": "sent an invalid vote, such as an unknown choice; it was refused",
    "early_look": "asked for the interim result of a blind round; it was refused",
    "break_glass": "looked at the interim result of the blind round",
    "import_removed": "removed the imported votes of the round",
}


class AuditEntry(BaseModel):
    """An entry as people read it; `times` is how often within its minute."""

    model_config = ConfigDict(frozen=True)

    at: float
    kind: Kind | Literal["forgotten"]
    who: str
    role: str
    round_id: str | None
    comparison_id: str | None
    times: int
    sentence: str


@contextmanager
def record_refused_vote(ws: Workspace, actor: Actor, token: str) -> Iterator[None]:
    """Within it a vote that is refused, and for what, is written down."""
    try:
        yield
    except Unavailable:
        raise
    except UserError as error:
        kind = None
        with suppress(Unavailable), reading(ws.db) as conn:
            kind = _why(conn, actor, token, error)
        if kind:
            refused(ws, actor, kind, token=token)
        raise


@contextmanager
def record_refused_look(ws: Workspace, actor: Actor, *round_ids: str) -> Iterator[None]:
    """Within it a refusal is written down where one of the rounds is blind and not closed."""
    try:
        yield
    except Unavailable:
        raise
    except UserError:
        hidden: list[Round] = []
        with suppress(Unavailable), reading(ws.db) as conn:
            asked = [rounds.get(conn, each) for each in round_ids]
            hidden = [one for one in asked if one and one.blind and one.status != "closed"]
        for one in hidden:
            refused(ws, actor, "early_look", round_id=one.id)
        raise


@contextmanager
def record_foreign_round(ws: Workspace, actor: Actor, round_id: str) -> Iterator[None]:
    """Within it is written down that somebody asked for a round of a project not theirs."""
    try:
        yield
    except NotFound:
        there = False
        with suppress(Unavailable), reading(ws.db) as conn:
            there = rounds.get(conn, round_id) is not None
        if there:
            refused(ws, actor, "foreign_round", round_id=round_id)
        raise


def refused(
    ws: Workspace, actor: Actor, kind: Kind, *, token: str = "", round_id: str | None = None
) -> None:
    """Write down a refusal; where the database can't take it, it stays a refusal."""
    with suppress(Unavailable):
        with reading(ws.db) as conn:
            new = _entry(conn, actor, kind, token, round_id)
            _, same = _place(conn, new)
        if same and same.times >= MOST_TIMES:
            return
        with writing(ws.db) as conn:
            alone(conn, audit.ONE_WRITER)
            new, same = _place(conn, new)
            if same is None:
                audit.add(conn, new)
            else:
                audit.again(conn, same.id)


def record_early_look(conn: Connection, actor: Actor, rating_round: Round, reason: str) -> None:
    """Write down that an owner looks early, in the transaction that lets them."""
    words = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
    if not words:
        raise UserError("An early look needs a reason.", "Give one; it is kept in the audit log.")
    if len(words) > REASON_LENGTH:
        raise UserError("This reason is too long.", f"Say it in {REASON_LENGTH} characters.")
    new = _entry(conn, actor, "break_glass", "", rating_round.id)
    audit.add(conn, new._replace(said=f"{new.said}. Their reason: {words}"))


def refuse_early(conn: Connection, actor: Actor, rating_round: Round) -> None:
    """Forbidden while a blind round is not closed, but to an owner who is on record for it."""
    if not rating_round.blind or rating_round.status == "closed":
        return
    if actor.role >= Role.OWNER and actor.name in {
        each.who for each in audit.early_looks(conn, rating_round.id)
    }:
        return
    raise Forbidden(
        f"{rating_round.name} is blind until it is closed.", "Close it when enough votes are in."
    )


def entries(
    ws: Workspace, actor: Actor, project_id: str, round_id: str | None = None
) -> list[AuditEntry]:
    """The newest entries of a round, or of a project and those that belong to none; newest first.

    That a rater was forgotten is among them, as it stands in the record of that.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        if round_id is not None:
            access.rating_round(conn, actor, round_id)
        entries = audit.newest(conn, project_id, round_id, SHOWN)
        gone = rater_reviews.list_erasures(conn, project_id)
    found = [_entry_as_read(one) for one in entries]
    found += [
        AuditEntry(
            at=each.created_at, kind="forgotten", who=each.created_by, role="owner",
            round_id=round_id, comparison_id=None, times=1,
            sentence=f"{each.created_by} (owner) deleted all that one rater did",
        )
        for each in gone
        if round_id is None or round_id in each.rounds
    ]  # fmt: skip
    return sorted(found, key=lambda line: -line.at)[:SHOWN]


def tally_sentence(seen: Tally) -> str:
    """How a round stands, from the side of its new model, as an owner reads it."""
    raters = "1 rater" if seen.raters == 1 else f"{seen.raters} raters"
    tally = tally_words(seen.wins, seen.losses, seen.ties, seen.both_bad, seen.identical)
    return f"The new model: {tally} on {seen.prompts} questions, by {raters}."


def _entry_as_read(one: Entry) -> AuditEntry:
    who = f"{one.who} ({one.role})" if one.role else one.who
    often = f"{one.times:,} times" if one.times < MOST_TIMES else f"{MOST_TIMES:,} times or more"
    return AuditEntry(
        at=one.created_at, kind=one.kind, who=one.who, role=one.role, round_id=one.round_id,
        comparison_id=one.comparison_id, times=one.times,
        sentence=f"{who} {one.said}" + (f", {often}" if one.times > 1 else ""),
    )  # fmt: skip


def _why(conn: Connection, actor: Actor, token: str, error: UserError) -> Kind | None:
    """What was wrong with a vote; None for what happens to anybody, such as a second vote."""
    mine = votes.get(conn, token)
    if mine is None:
        return "forged_token"
    if mine.rater != actor.name:
        return "others_token"
    if access.rating_round(conn, actor, mine.round_id).status != "open":
        return "closed_round"
    return "not_a_vote" if type(error) is UserError else None


def _entry(conn: Connection, actor: Actor, kind: Kind, token: str, round_id: str | None) -> Entry:
    """Only what the database knows of a token or a round is kept, never what was sent."""
    about = votes.get(conn, token) if token else None
    rating_round = rounds.get(conn, about.round_id if about else round_id or "")
    return Entry(
        id=ids.new("audit"),
        project_id=rating_round.project_id if rating_round else None,
        round_id=rating_round.id if rating_round else None,
        comparison_id=about.comparison_id if about else None,
        kind=kind,
        who=actor.name,
        role=actor.role.name.lower(),
        said=DESCRIPTIONS[kind],
        times=1,
        created_at=time.time(),
    )


def _place(conn: Connection, new: Entry) -> tuple[Entry, Entry | None]:
    """The entry as it would be kept, and the one that stands for it already."""
    same = audit.same(conn, new, new.created_at // MINUTE_S * MINUTE_S)
    day = new.created_at // DAY_S * DAY_S
    if same or audit.number(conn, new.kind, day) < MOST:
        return new, same
    rest = new._replace(project_id=None, round_id=None, comparison_id=None, who=OTHERS, role="")
    return rest, audit.same(conn, rest, day)
