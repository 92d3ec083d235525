"""What still needs a job or a model it made, and the removal of a job with all that it made."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, or_, select

from engine.core.job import State
from engine.store.tables import (
    api_training,
    completion,
    evaluation,
    event,
    feedback,
    job,
    model,
    promotion,
    rating_round,
)


def users(conn: Connection, job_id: str) -> list[tuple[str, str]]:
    """What stands on a job or on a model it made: kind and name of each."""
    ids = list(conn.execute(select(model.c.id).where(model.c.job_id == job_id)).scalars())
    arms = or_(rating_round.c.arm_new.in_(ids), rating_round.c.arm_base.in_(ids))
    rounds = select(rating_round.c.name).where(or_(arms, rating_round.c.job_id == job_id))
    above = or_(model.c.parent_id.in_(ids), model.c.base_id.in_(ids))
    trained_on = select(model.c.name).where(above, model.c.job_id != job_id)
    judged = (
        select(model.c.name)
        .join(completion, _concerns(ids))
        .join(feedback, feedback.c.completion_id == completion.c.id)
        .where(model.c.id.in_(ids))
    )
    chosen = select(model.c.name).join(promotion, promotion.c.model_id == model.c.id)
    found = [
        *_named(conn, "round", rounds),
        *_named(conn, "model", trained_on),
        *_named(conn, "choice for use", chosen.where(model.c.id.in_(ids))),
        *_named(conn, "feedback on answers of", judged),
    ]
    for one in ids:
        asked = select(job.c.name).join(evaluation, evaluation.c.job_id == job.c.id)
        asked = asked.where(evaluation.c.models.contains(f'"{one}"', autoescape=True))
        going = select(job.c.name).where(
            job.c.state.in_([State.QUEUED, State.RUNNING]),
            job.c.recipe.contains(f'"{one}"', autoescape=True),
        )
        found += _named(conn, "evaluation", asked.where(job.c.id != job_id))
        found += _named(conn, "run", going)
    return list(dict.fromkeys(found))


def remove(conn: Connection, job_id: str) -> None:
    """Delete a job with its events, its evaluation, its models and what those answered."""
    ids = list(conn.execute(select(model.c.id).where(model.c.job_id == job_id)).scalars())
    conn.execute(delete(completion).where(_concerns(ids)))
    for table in (event, evaluation, model, api_training):
        conn.execute(delete(table).where(table.c.job_id == job_id))
    conn.execute(delete(job).where(job.c.id == job_id))


def _concerns(models: list[str]) -> ColumnElement[bool]:
    """Answers of one of these models, or of an arena that one of them stood in."""
    return or_(completion.c.model_id.in_(models), completion.c.other_id.in_(models))


def _named(conn: Connection, kind: str, query: Select[tuple[Any]]) -> list[tuple[str, str]]:
    return [(kind, str(name)) for name in conn.execute(query).scalars()]
