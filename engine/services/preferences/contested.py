"""Pairs on which raters disagree: a list to talk about, and a round that asks two more people."""

import time
from typing import NamedTuple

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.rating import Answer, Comparison, Round
from engine.services import access
from engine.services.preferences import build
from engine.services.preferences.judgements import Item
from engine.store import rounds
from engine.store.connect import writing
from engine.store.json_columns import to_json
from engine.workspace import Workspace

MORE = 2  # further votes asked for


class Contested(NamedTuple):
    """Two answers and how many votes each got; `comparisons` are the ids that showed them."""

    prompt: tuple[Message, ...]
    first: str
    second: str
    for_first: int
    for_second: int
    undecided: int
    comparisons: tuple[str, ...]


def contested(
    ws: Workspace, actor: Actor, project_id: str, round_ids: list[str] | None = None
) -> list[Contested]:
    """The pairs that the rules leave out as contested, in the order in which they were shown."""
    seen = build.preview(ws, actor, project_id, round_ids)
    return [_contested(item) for item in seen.judged.contested]


def _contested(item: Item) -> Contested:
    first, second = item.votes_for("a"), item.votes_for("b")
    undecided = len(item.judgements) - first - second
    return Contested(
        item.prompt, item.answer_a, item.answer_b, first, second, undecided, item.comparison_ids
    )


def ask_again(ws: Workspace, actor: Actor, round_id: str) -> Round:
    """A new open round with the contested pairs of this one, which asks two more people each.

    Votes of both rounds are added up, and a rater who votes again changes their mind. UserError
    where nothing is contested, or a round that asks again is open already.
    """
    actor.require(Role.TRAINER)
    with writing(ws.db) as conn:
        source = access.rating_round(conn, actor, round_id)
    pairs = contested(ws, actor, source.project_id, [round_id])
    wanted = list(dict.fromkeys(each.comparisons[0] for each in pairs))
    if not wanted:
        raise UserError(f"Raters of {source.name} agree on every pair.", "Make the pairs.")
    with writing(ws.db) as conn:
        for other in rounds.list_all(conn, source.project_id):
            if other.plan.again == round_id and other.status == "open":
                raise UserError(f"{other.name} asks already.", "Rate it, or close it first.")
        again = _round(source, wanted, actor.name)
        rounds.add(conn, again)
        rounds.add_comparisons(conn, _copies(again, rounds.comparisons(conn, round_id), wanted))
        rounds.change(conn, again.id, status="open")
        return access.rating_round(conn, actor, again.id)


def _round(source: Round, wanted: list[str], by: str) -> Round:
    # these votes are cast here, whatever file the first ones came from
    changes = {"again": source.id, "origin": None, "prompts": len(wanted), "overlap": MORE}
    plan = source.plan.model_copy(update=changes)
    content = to_json([plan.model_dump(mode="json"), wanted])
    return Round(
        id=ids.new("round"),
        project_id=source.project_id,
        name=f"{source.name[:70]}, again",
        purpose=source.purpose,
        arm_new=source.arm_new,
        arm_base=source.arm_base,
        plan=plan,
        plan_sha256=ids.sha256(content),
        status="preparing",
        created_by=by,
        created_at=time.time(),
    )


def _copies(
    again: Round, shown: list[Comparison], wanted: list[str]
) -> list[tuple[Comparison, Answer]]:
    """The pairs of the new round, every second one with its other answer on the left."""
    chosen = [pair for pair in shown if pair.id in wanted]
    return [
        (
            pair.model_copy(update={"id": ids.new("pair"), "round_id": again.id, "position": n}),
            "b" if n % 2 else "a",
        )
        for n, pair in enumerate(chosen)
    ]
