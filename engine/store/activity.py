"""Counts of what happened in a project since a moment; no row of a text is read."""

from typing import Any

from sqlalchemy import Connection, Table, distinct, func, select

from engine.core.job import State
from engine.store.tables import (
    assignment,
    dataset,
    evaluation,
    job,
    model,
    promotion,
    rating_round,
    vote,
)
from engine.store.votes import COUNTED

ADDED: dict[str, Table] = {
    "datasets": dataset,
    "models": model,
    "evaluations": evaluation,
    "rounds": rating_round,
    "promotions": promotion,
}


def since(conn: Connection, project_id: str, at: float) -> dict[str, int]:
    """How many of each kind were added after `at` (epoch seconds), jobs that failed among them."""
    counts = {name: _added(conn, table, project_id, at) for name, table in ADDED.items()}
    failed = select(func.count()).where(
        job.c.project_id == project_id, job.c.state == State.FAILED, job.c.finished_at > at
    )
    closed = select(func.count()).where(
        rating_round.c.project_id == project_id,
        rating_round.c.status != "removed",
        rating_round.c.closed_at > at,
    )
    return {
        **counts,
        "failed_jobs": int(conn.execute(failed).scalar_one()),
        "closed_rounds": int(conn.execute(closed).scalar_one()),
        "votes": sum(votes_by_rater(conn, project_id, at).values()),
    }


def votes_by_rater(conn: Connection, project_id: str, at: float) -> dict[str, int]:
    """On how many comparisons each rater voted after `at`, the busiest first; guests are left out.

    A vote that was taken back does not count.
    """
    number = func.count(distinct(assignment.c.id))
    query = (
        select(assignment.c.rater, number)
        .join(rating_round, rating_round.c.id == assignment.c.round_id)
        .join(vote, vote.c.assignment_id == assignment.c.id)
        .where(
            rating_round.c.project_id == project_id,
            rating_round.c.status != "removed",
            assignment.c.state.in_(COUNTED),
            ~assignment.c.guest,
            vote.c.action == "vote",
            vote.c.created_at > at,
        )
        .group_by(assignment.c.rater)
        .order_by(number.desc(), assignment.c.rater)
    )
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def _added(conn: Connection, table: Any, project_id: str, at: float) -> int:
    query = select(func.count()).where(table.c.project_id == project_id, table.c.created_at > at)
    return int(conn.execute(query).scalar_one())
