"""Answers that the API gave and kept, and what people thought of them."""

from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select

from engine.store.tables import completion, feedback


class CompletionRow(NamedTuple):
    """`prompt` (JSON of messages) and `text` are empty where the key does not keep texts."""

    id: str
    project_id: str
    key_id: str | None
    model_id: str
    other_id: str | None
    prompt: str
    text: str
    created_at: float


class FeedbackRow(NamedTuple):
    """`kind` is thumb, correction or chosen; `value` up or down, a text, or another answer's id."""

    id: str
    project_id: str
    completion_id: str
    kind: str
    value: str
    via: str
    created_at: float


def add(conn: Connection, new: CompletionRow) -> None:
    """Store an answer."""
    conn.execute(insert(completion).values(new._asdict()))


def get(conn: Connection, completion_id: str) -> CompletionRow | None:
    """The answer, or None."""
    query = select(completion).where(completion.c.id == completion_id)
    row = conn.execute(query).mappings().one_or_none()
    return CompletionRow(**row) if row else None


def list_all(conn: Connection, project_id: str) -> list[CompletionRow]:
    """The answers kept of a project, oldest first."""
    query = select(completion).where(completion.c.project_id == project_id)
    rows = conn.execute(query.order_by(completion.c.created_at, completion.c.id)).mappings()
    return [CompletionRow(**row) for row in rows]


def count_prompts(conn: Connection, project_id: str) -> int:
    """How many different prompts of a project are kept."""
    different = func.count(func.distinct(completion.c.prompt))
    query = select(different).where(
        completion.c.project_id == project_id, completion.c.prompt != ""
    )
    return conn.execute(query).scalar_one()


def add_feedback(conn: Connection, new: FeedbackRow) -> None:
    """Store what somebody thought."""
    conn.execute(insert(feedback).values(new._asdict()))


def count_feedback(conn: Connection, completion_id: str) -> int:
    """How often somebody said something about an answer."""
    query = select(func.count()).where(feedback.c.completion_id == completion_id)
    return conn.execute(query).scalar_one()


def feedback_of(conn: Connection, project_id: str) -> list[FeedbackRow]:
    """All that was said about a project's answers, oldest first."""
    query = select(feedback).where(feedback.c.project_id == project_id)
    rows = conn.execute(query.order_by(feedback.c.created_at, feedback.c.id)).mappings()
    return [FeedbackRow(**row) for row in rows]
