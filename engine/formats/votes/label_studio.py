"""Label Studio's JSON export: tasks with their annotations.

A `Pairwise` tag shows its answers in the order of the data, so the sides are known; nothing there
shuffles them. https://labelstud.io/guide/task_format.html
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.core.errors import RowError
from engine.core.imported_votes import GivenRating, GivenVote, SkippedRow
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import share
from engine.formats.votes import cells
from engine.formats.votes.fields import Fields, Stated, fields_of, vote_or_rating

TITLE = "Label Studio"
SUMMARY = "JSON export of pairwise, choices and rating tags"
COLUMNS = frozenset({"annotations", "data"})
KINDS = ("pairwise", "choices", "rating")
NOTHING = "an annotation without a choice"
CANCELLED = "a task that its rater skipped"


def sniff(rows: Sequence[FileRow]) -> float:
    """Tasks have data and a list of annotations."""
    return share(
        list(rows),
        lambda row: isinstance(row.get("data"), dict) and isinstance(row.get("annotations"), list),
    )


def votes(
    rows: Sequence[NumberedRow],
) -> Iterator[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    """A vote or rating of each annotation."""
    for number, row in rows:
        found, data = row.get("annotations"), row.get("data")
        if not isinstance(found, list) or not isinstance(data, dict):
            yield BrokenRow(number, "is no task with data and annotations")
            continue
        for annotation in found:
            try:
                yield _one(fields_of(data), annotation, number)
            except RowError as error:
                yield BrokenRow(number, str(error))


def _one(fields: Fields, annotation: Any, number: int) -> GivenVote | GivenRating | SkippedRow:
    if not isinstance(annotation, dict):
        raise RowError("has an annotation that is no object")
    if annotation.get("was_cancelled"):
        return SkippedRow(number, CANCELLED)
    listed = annotation.get("result")
    results = listed if isinstance(listed, list) else []
    for result in results:
        if isinstance(result, dict) and result.get("type") in KINDS:
            value = _value(result)
            if value is not None:
                return vote_or_rating(fields, Stated(
                    number, cells.name_of(annotation.get("completed_by")), value,
                    result["type"] == "pairwise", cells.seconds(annotation.get("created_at")),
                ))  # fmt: skip
    return SkippedRow(number, NOTHING)


def _value(result: FileRow) -> object:
    value = result.get("value")
    if not isinstance(value, dict):
        return None
    if result["type"] == "choices":
        listed = value.get("choices")
        return listed[0] if isinstance(listed, list) and listed else None
    return value.get("selected" if result["type"] == "pairwise" else "rating")
