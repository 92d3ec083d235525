"""A cheap fingerprint of all that is stored about a project: equal means that nothing changed.

Counts and newest times, no row of an answer, a vote or a score. Votes and audit entries are
counted over all projects, which needs no join; another project's vote costs one reading too many.
"""

import hashlib
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Select, Table, func, literal, select, union_all

from engine.store.tables import (
    assignment,
    audit,
    dataset,
    evaluation,
    flag,
    forgotten,
    job,
    model,
    pair_export,
    promotion,
    rater_review,
    rating_round,
    vote,
)

OF_PROJECT = (dataset, model, evaluation, pair_export, promotion, forgotten)


def of_project(conn: Connection, project_id: str) -> str:
    """The fingerprint, as 32 hexadecimal digits."""
    counted: CompoundSelect[Any] = union_all(
        *(_count(each).where(each.c.project_id == project_id) for each in OF_PROJECT),
        *map(_count, (rater_review, flag)),
        select(literal("vote"), func.count(), literal(0.0)).select_from(vote),
        select(literal("audit"), func.sum(audit.c.times), func.max(audit.c.created_at)),
        # a flag that ends gets a longer kind
        select(literal("ended"), func.sum(func.length(flag.c.kind)), literal(0.0)),
    )
    rounds = select(rating_round.c.id, rating_round.c.status, rating_round.c.job_id).where(
        rating_round.c.project_id == project_id
    )
    rows = [
        sorted(map(list, conn.execute(query)), key=str)
        for query in (counted, _jobs(project_id), rounds)
    ]
    return _digest(rows)


def of_jobs(conn: Connection, project_id: str) -> str:
    """The fingerprint of the jobs of the project: their states, names, notes and tags."""
    return _digest(sorted(map(list, conn.execute(_jobs(project_id))), key=str))


def of_closed_round(conn: Connection, round_id: str) -> str:
    """The fingerprint of what the result of a closed round is made of: it takes no vote any more.

    Votes that are deleted with their rater leave an entry in `forgotten`.
    """
    flagged = (
        select(literal("flag"), func.count(), func.sum(func.length(flag.c.kind)))
        .select_from(flag)
        .join(assignment, assignment.c.id == flag.c.assignment_id)
        .where(assignment.c.round_id == round_id)
    )
    counted: CompoundSelect[Any] = union_all(
        _count(rater_review).where(rater_review.c.round_id == round_id),
        _count(forgotten),
        select(literal("audit"), func.sum(audit.c.times), func.max(audit.c.created_at)).where(
            audit.c.round_id == round_id
        ),
        flagged,
    )
    return _digest(sorted(map(list, conn.execute(counted)), key=str))


def _jobs(project_id: str) -> Select[Any]:
    return select(
        job.c.id, job.c.state, job.c.name, job.c.note, job.c.tags, job.c.cancel_requested
    ).where(job.c.project_id == project_id)


def _count(table: Table) -> Any:
    return select(literal(table.name), func.count(), func.max(table.c.created_at)).select_from(
        table
    )


def _digest(value: object) -> str:
    # repr, not JSON: PostgreSQL adds up to decimals
    return hashlib.blake2b(repr(value).encode(), digest_size=16).hexdigest()
