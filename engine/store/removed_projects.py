"""Removing a project: first nobody finds it, then rows go that no vote or audit entry needs.

What stays is the record: votes and audit entries with the rounds, answers and models that they are
about, and which votes of a rater were deleted.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from engine.core.job import State
from engine.store.tables import (
    api_file,
    api_training,
    assignment,
    audit,
    comparison,
    completion,
    dataset,
    evaluation,
    event,
    feedback,
    flag,
    invite,
    invited_browser,
    job,
    last_visit,
    model,
    pair_export,
    project,
    promotion,
    rater_review,
    rating_round,
    vote,
)

EMPTIED = ""  # the name of a project whose rows and files have gone


def mark(conn: Connection, project_id: str, now: float) -> bool:
    """Let nobody find the project from now on; False while one of its jobs waits or runs."""
    going = job.c.state.in_([State.QUEUED, State.RUNNING])
    if conn.execute(select(job.c.id).where(job.c.project_id == project_id, going)).first():
        return False
    conn.execute(update(project).where(project.c.id == project_id).values(removed_at=now))
    conn.execute(update(invite).where(invite.c.project_id == project_id).values(status="revoked"))
    return True


def waiting(conn: Connection) -> list[str]:
    """Marked projects whose rows and files have not gone yet."""
    query = select(project.c.id).where(project.c.removed_at.is_not(None))
    return list(conn.execute(query.where(project.c.name != EMPTIED)).scalars())


def files(conn: Connection, project_id: str) -> list[str]:
    """The paths of all that belongs to a project, below the folder of files."""
    jobs = conn.execute(select(job.c.id).where(job.c.project_id == project_id)).scalars()
    rows = conn.execute(select(dataset.c.file).where(dataset.c.project_id == project_id)).scalars()
    given = conn.execute(select(api_file.c.id).where(api_file.c.project_id == project_id))
    return [*(f"jobs/{one}" for one in jobs), *rows, *(f"api/{one}" for one in given.scalars())]


def empty(conn: Connection, project_id: str) -> None:
    """Delete the rows of a marked project that the record does not need."""
    _rounds(conn, project_id)
    for table in (evaluation, pair_export, promotion, last_visit, api_file, api_training):
        conn.execute(delete(table).where(table.c.project_id == project_id))
    judged = select(feedback.c.completion_id)
    _delete(conn, completion, project_id, completion.c.id.not_in(judged))
    links = select(invite.c.id).where(invite.c.project_id == project_id)
    conn.execute(delete(invited_browser).where(invited_browser.c.invite_id.in_(links)))
    while _models(conn, project_id):  # one is the parent of another
        pass
    jobs = select(job.c.id).where(job.c.project_id == project_id)
    conn.execute(delete(event).where(event.c.job_id.in_(jobs)))
    _delete(conn, job, project_id, *_unnamed(job, model.c.job_id, rating_round.c.job_id))
    _delete(conn, dataset, project_id, *_unnamed(dataset, model.c.dataset_id))
    conn.execute(update(project).where(project.c.id == project_id).values(name=EMPTIED))


def _rounds(conn: Connection, project_id: str) -> None:
    """Delete the rounds that nobody rated in, flagged in or was refused in."""
    about = [
        select(assignment.c.round_id).join(vote, vote.c.assignment_id == assignment.c.id),
        select(assignment.c.round_id).join(flag, flag.c.assignment_id == assignment.c.id),
        select(audit.c.round_id).where(audit.c.round_id.is_not(None)),
    ]
    bare = select(rating_round.c.id).where(
        rating_round.c.project_id == project_id,
        *(rating_round.c.id.not_in(each) for each in about),
    )
    ids = list(conn.execute(bare).scalars())
    for table in (assignment, comparison, rater_review):
        conn.execute(delete(table).where(table.c.round_id.in_(ids)))
    conn.execute(delete(rating_round).where(rating_round.c.id.in_(ids)))


def _models(conn: Connection, project_id: str) -> int:
    """Delete the models that nothing is made of and no round is about; how many."""
    names = (rating_round.c.arm_new, rating_round.c.arm_base, completion.c.model_id,
             completion.c.other_id)  # fmt: skip
    child = model.alias()
    above = [
        select(column).where(column.is_not(None), child.c.id != column)
        for column in (child.c.parent_id, child.c.base_id)
    ]
    free = [*_unnamed(model, *names), *(model.c.id.not_in(each) for each in above)]
    return _delete(conn, model, project_id, *free)


def _unnamed(table: Table, *columns: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    return [table.c.id.not_in(select(each).where(each.is_not(None))) for each in columns]


def _delete(conn: Connection, table: Table, project_id: str, *where: ColumnElement[bool]) -> int:
    return conn.execute(delete(table).where(table.c.project_id == project_id, *where)).rowcount
