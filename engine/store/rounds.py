"""Rounds of blind rating and their comparisons."""

from typing import Any, NamedTuple, TypedDict, Unpack

from sqlalchemy import Connection, insert, select, update

from engine.core.rating import (
    Answer,
    Comparison,
    ComparisonDetails,
    ComparisonKind,
    Round,
    RoundStatus,
)
from engine.store.answer_columns import READ, STORED, from_details, to_details
from engine.store.json_columns import dumped, loaded, to_json
from engine.store.tables import comparison, rating_round

JSON = ("prompt", "reference_texts", "details")
STAYS = rating_round.c.status != "removed"  # an import that was taken back is in no list
COLUMNS = {
    "answer_a": "text_lo",
    "answer_b": "text_hi",
    "model_a": "model_lo",
    "model_b": "model_hi",
}


def add(conn: Connection, new: Round) -> None:
    """Store a round with its frozen plan."""
    conn.execute(insert(rating_round).values(dumped(new.model_dump(mode="json"), "plan")))


def get(conn: Connection, round_id: str) -> Round | None:
    """The round; None where there is none, or where its import was removed."""
    query = select(rating_round).where(rating_round.c.id == round_id, STAYS)
    row = conn.execute(query).mappings().one_or_none()
    return Round.model_validate(loaded(row, "plan")) if row else None


def lock(conn: Connection, round_id: str) -> None:
    """Let no other transaction assign comparisons of this round until this one ends."""
    query = select(rating_round.c.id).where(rating_round.c.id == round_id).with_for_update()
    conn.execute(query).one()


def list_all(conn: Connection, project_id: str) -> list[Round]:
    """Newest first, without those whose import was removed."""
    query = (
        select(rating_round)
        .where(rating_round.c.project_id == project_id, STAYS)
        .order_by(rating_round.c.created_at.desc())
    )
    return [Round.model_validate(loaded(row, "plan")) for row in conn.execute(query).mappings()]


class RoundChange(TypedDict, total=False):
    """Columns of a round that may change; the plan never does."""

    status: RoundStatus
    job_id: str
    closed_at: float


def change(conn: Connection, round_id: str, **values: Unpack[RoundChange]) -> None:
    """Move a round on; what is left out stays as it is."""
    conn.execute(update(rating_round).where(rating_round.c.id == round_id).values(values))


def fail_waiting_for(conn: Connection, job_id: str) -> None:
    """Mark the round failed whose answers this job was to write and will not."""
    waiting = (rating_round.c.job_id == job_id) & (rating_round.c.status == "preparing")
    conn.execute(update(rating_round).where(waiting).values(status="failed"))


def add_comparisons(conn: Connection, new: list[tuple[Comparison, Answer]]) -> None:
    """Store comparisons, each with the answer that the first rater sees on the left."""
    if not new:
        return
    rows = []
    for one, left_first in new:
        values = one.model_dump(mode="json")
        values["reference_texts"] = to_json(values.pop("references"))
        values["prompt"] = to_json(values["prompt"])
        values["details"] = to_json(to_details(values["details"]))
        values |= {column: values.pop(field) for field, column in COLUMNS.items()}
        rows.append({**values, "left_first": STORED[left_first]})
    conn.execute(insert(comparison), rows)


def comparisons(conn: Connection, round_id: str) -> list[Comparison]:
    """In the order in which they are offered."""
    query = (
        select(comparison).where(comparison.c.round_id == round_id).order_by(comparison.c.position)
    )
    return [_comparison(row) for row in conn.execute(query).mappings()]


class Uncounted(NamedTuple):
    """A comparison that is shown but counts in no result, and what is known of it."""

    id: str
    kind: ComparisonKind
    left_first: Answer
    details: ComparisonDetails


def uncounted(conn: Connection, round_id: str) -> list[Uncounted]:
    """The gold items, practice items and repeats of a round, in their order."""
    shown = comparison.c.kind.in_(("gold", "repeat", "calibration"))
    query = (
        select(comparison.c.id, comparison.c.kind, comparison.c.left_first, comparison.c.details)
        .where(comparison.c.round_id == round_id, shown)
        .order_by(comparison.c.position)
    )
    return [
        Uncounted(row["id"], row["kind"], READ[row["left_first"]], from_details(row["details"]))
        for row in (loaded(each, "details") for each in conn.execute(query).mappings())
    ]


def get_comparison(conn: Connection, comparison_id: str) -> Comparison:
    """The comparison; it exists, since an assignment points to it."""
    query = select(comparison).where(comparison.c.id == comparison_id)
    return _comparison(conn.execute(query).mappings().one())


def _comparison(row: Any) -> Comparison:
    values = loaded(row, *JSON)
    values |= {field: values[column] for field, column in COLUMNS.items()}
    values["details"] = from_details(values["details"])
    return Comparison.model_validate({**values, "references": values["reference_texts"]})
