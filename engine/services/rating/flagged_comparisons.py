"""What raters flag in comparisons, and the list of it for whoever runs the round.

When a rater is paused is decided in paused_raters.py.
"""

import time

from pydantic import BaseModel, ConfigDict

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.answer_sides import as_shown
from engine.core.errors import Conflict, NotFound
from engine.core.examples import Message
from engine.core.names import without_nul
from engine.core.rating import AssignmentState, FlagKind, FlagTarget, RaterState
from engine.services import access
from engine.services.rating import audit, votes
from engine.store import flags, rounds
from engine.store import votes as vote_store
from engine.store.connect import reading, writing
from engine.workspace import Workspace

NOTE_LENGTH = 1000


class Flagged(BaseModel):
    """A flag with the texts as the rater saw them; it names no model."""

    model_config = ConfigDict(frozen=True)

    id: str
    rater: str
    target: FlagTarget
    kind: FlagKind
    note: str
    created_at: float
    prompt: tuple[Message, ...]
    left: str
    right: str
    more: tuple[str, ...] = ()  # the third and the fourth answer of a ranking


def add(
    ws: Workspace,
    actor: Actor,
    token: str,
    target: FlagTarget,
    kind: FlagKind,
    note: str = "",
) -> RaterState:
    """Keep a flag and return what comes next; nobody is given the pair until it is looked at."""
    actor.require(Role.RATER)
    without_nul(note, "The note")
    now = time.time()
    with audit.record_refused_vote(ws, actor, token), writing(ws.db) as conn:
        mine = vote_store.get(conn, token)
        if mine is None or mine.rater != actor.name:
            raise NotFound("This comparison is not assigned to you.", "Reload the page.")
        if access.rating_round(conn, actor, mine.round_id).status != "open":
            raise Conflict("This round is not open.", "Choose an open round.")
        if mine.state == AssignmentState.LEASED:
            text = note.strip()[:NOTE_LENGTH]
            flags.add(conn, ids.new("flag"), token, target, kind, text, now)
            vote_store.set_state(conn, token, AssignmentState.FLAGGED, now)
        elif mine.state != AssignmentState.FLAGGED:
            raise Conflict("You have voted on this comparison already.", "Undo, then flag it.")
    ws.confirm_votes()
    return votes.state(ws, actor, mine.round_id)


def list_all(ws: Workspace, actor: Actor, round_id: str) -> list[Flagged]:
    """The flags of a round that nobody has looked at yet, oldest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.rating_round(conn, actor, round_id)
        waiting = flags.open_flags(conn, round_id)
        pairs = {pair.id: pair for pair in rounds.comparisons(conn, round_id)}
    found = []
    for each in waiting:
        pair = pairs[each.comparison_id]
        left, right, *more = (
            [pair.answers[letter] for letter in each.order]
            if each.order
            else as_shown(pair.answer_a, pair.answer_b, each.left_is)
        )
        values = {name: getattr(each, name) for name in ("id", "rater", "target", "kind", "note")}
        found.append(Flagged.model_validate(
            {**values, "created_at": each.created_at, "prompt": pair.prompt, "left": left,
             "right": right, "more": tuple(more)}
        ))  # fmt: skip
    return found


def settle(ws: Workspace, actor: Actor, flag_id: str) -> None:
    """A person finds the pair to be fine: others may rate it, and it may train a model.

    A flag that is not settled keeps its pair out of both.
    """
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        found = flags.assignment_of(conn, flag_id)
        if found is None:
            raise NotFound("There is no such flag any more.", "Look at the list again.")
        token, round_id = found
        access.rating_round(conn, actor, round_id)
        rounds.lock(conn, round_id)
        flags.end(conn, token, "settled")
        vote_store.give_up(conn, token)
