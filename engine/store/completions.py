"""Answers that the API gave and kept, and what people thought of them."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from engine.store.tables import completion, feedback

AT_ONCE = 500  # parameters of one statement


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
    bytes: int = 0  # of both texts in UTF-8


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


def total(conn: Connection, project_id: str) -> tuple[int, int]:
    """How many answers of a project are kept, and the bytes of their texts."""
    sums = select(func.count(), func.coalesce(func.sum(completion.c.bytes), 0))
    rows, size = conn.execute(sums.where(completion.c.project_id == project_id)).one()
    return int(rows), int(size)


def drop_oldest(conn: Connection, project_id: str, rows: int, size: int) -> None:
    """Forget the oldest answers that nobody said anything about: `rows` and `size` bytes of them.

    Fewer where there are not so many.
    """
    rated = select(feedback.c.id).where(feedback.c.completion_id == completion.c.id).exists()
    oldest = (
        select(completion.c.id, completion.c.bytes)
        .where(completion.c.project_id == project_id, ~rated)
        .order_by(completion.c.created_at, completion.c.id)
    )
    gone: list[str] = []
    for one, taken in conn.execute(oldest):
        if len(gone) >= rows and size <= 0:
            break
        gone.append(one)
        size -= taken
    for start in range(0, len(gone), AT_ONCE):
        some = gone[start : start + AT_ONCE]
        conn.execute(delete(completion).where(completion.c.id.in_(some)))


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
