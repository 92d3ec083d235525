"""How far the rounds of a project are, from counters: what a page asks every two seconds."""

from collections.abc import Hashable
from typing import NamedTuple

from engine.core.actor import Actor, Role
from engine.core.rating import AssignmentState
from engine.services import access
from engine.store import counters
from engine.store.connect import reading
from engine.workspace import Workspace


class RoundProgress(NamedTuple):
    """`votes` that count, of the `wanted` that the plan asks for."""

    votes: int
    wanted: int


def revision(ws: Workspace, actor: Actor, project_id: str) -> Hashable:
    """A value that changes with everything a page shows of the project's rounds.

    While the answers of a round are written its own progress is not in it.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return (
            project_id,
            tuple(counters.states(conn, project_id)),
            tuple(counters.places(conn, project_id)),
            counters.decisions(conn, project_id),
        )


def of_project(
    ws: Workspace, actor: Actor, project_id: str, overlap: dict[str, int]
) -> dict[str, RoundProgress]:
    """The progress of each round in `overlap`, which says how many votes a comparison gets."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        shown = counters.counting(conn, project_id)
        votes = {
            each.round_id: each.number
            for each in counters.places(conn, project_id)
            if each.counts and each.state == AssignmentState.VOTED
        }
    return {
        one: RoundProgress(votes.get(one, 0), shown.get(one, 0) * each)
        for one, each in overlap.items()
    }
