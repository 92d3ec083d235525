"""Argilla's records: its JSON, and the flat columns of its datasets on the Hub.

Records have `fields` and `responses`; flat ones a column `QUESTION.responses` with
`QUESTION.responses.users` and `.status` beside it; those of Argilla 1 a list of objects, or an
object of lists, under the name of the question. Nothing says which answer stood where.
https://docs.argilla.io/latest/how_to_guides/import_export/
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from engine.core.errors import RowError
from engine.core.imported_votes import GivenRating, GivenVote, SkippedRow
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import share
from engine.formats.votes import cells
from engine.formats.votes.fields import Fields, Stated, fields_of, ranked, vote_or_rating

TITLE = "Argilla"
SUMMARY = "records with responses, from JSON or a dataset of the Hub"
COLUMNS = frozenset({"fields", "responses", "_server_id"})
FLAT = ".responses"
PARTS = (".users", ".status")
ASIDE = frozenset(
    {"id", "external_id", "status", "metadata", "vectors", "suggestions", "_server_id",
     "inserted_at", "updated_at"}
)  # fmt: skip
DRAFT = "a draft, or a record that its rater discarded"
NOTHING = "a record without a response"


class _Response(NamedTuple):
    rater: str
    value: object
    status: str


def sniff(rows: Sequence[FileRow]) -> float:
    """Records have responses under one of the three layouts."""
    return share(list(rows), lambda row: bool(_questions(row)) or _is_record(row))


def votes(
    rows: Sequence[NumberedRow],
) -> Iterator[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    """A vote or rating of each submitted response to the question that asks for one."""
    for number, row in rows:
        questions = _questions(row)
        if not questions:
            yield SkippedRow(number, NOTHING)
            continue
        try:
            yield from _first_readable(_fields(row), questions, number)
        except RowError as error:
            yield BrokenRow(number, str(error))


def _first_readable(
    fields: Fields, questions: dict[str, list[_Response]], number: int
) -> list[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    """Votes or ratings: the responses to the first question that asks for a choice or a rating."""
    flaw = ""
    for responses in questions.values():
        found: list[GivenVote | GivenRating | SkippedRow | BrokenRow] = []
        sound = 0
        for each in responses:
            if each.status not in ("", "submitted"):
                found.append(SkippedRow(number, DRAFT))
                continue
            try:
                value = each.value
                answer = ranked(value, fields) if isinstance(value, list) else value
                found.append(vote_or_rating(fields, Stated(number, each.rater, answer)))
                sound += 1
            except RowError as error:
                flaw = flaw or str(error)
                found.append(BrokenRow(number, str(error)))
        if sound or all(isinstance(each, SkippedRow) for each in found):
            return found
    return [BrokenRow(number, flaw)]


def _is_record(row: FileRow) -> bool:
    return isinstance(row.get("fields"), dict) and "responses" in row


def _fields(row: FileRow) -> Fields:
    fields = row.get("fields")
    if isinstance(fields, dict):
        return fields_of(fields)
    kept = {k: v for k, v in row.items() if k not in ASIDE and "." not in k and not _of_one(v)}
    return fields_of({k: v for k, v in kept.items() if not k.endswith("-suggestion")})


def _questions(row: FileRow) -> dict[str, list[_Response]]:
    """By question, the responses to it."""
    if isinstance(row.get("responses"), dict):
        return {str(k): _listed(v) for k, v in row["responses"].items() if _listed(v)}
    flat = [key for key in row if key.endswith(FLAT)]
    if flat:
        return {key: found for key in flat if (found := _columns(row, key))}
    return {key: found for key, value in row.items() if (found := _of_one(value))}


def _listed(value: Any) -> list[_Response]:
    """Responses as a list of objects; what is none of them is a response that says nothing."""
    return [
        _Response(cells.name_of(each.get("user_id")), each.get("value"), _word(each.get("status")))
        if isinstance(each, dict)
        else _Response("", None, "")
        for each in (value if isinstance(value, list) else [])
    ]


def _columns(row: FileRow, key: str) -> list[_Response]:
    values = row.get(key)
    if not isinstance(values, list):
        return []
    users, status = (_as_long(row.get(key + part), len(values)) for part in PARTS)
    return [
        _Response(cells.name_of(user), value, _word(state))
        for value, user, state in zip(values, users, status, strict=True)
    ]


def _of_one(value: Any) -> list[_Response]:
    """Responses as Argilla 1 keeps them."""
    if isinstance(value, dict) and {"user_id", "value", "status"} <= value.keys():
        values = value["value"]
        if not isinstance(values, list):
            return []
        users, status = (_as_long(value[key], len(values)) for key in ("user_id", "status"))
        return [
            _Response(cells.name_of(user), each, _word(state))
            for each, user, state in zip(values, users, status, strict=True)
        ]
    whole = isinstance(value, list) and bool(value)
    if whole and all(isinstance(v, dict) and {"user_id", "status"} <= v.keys() for v in value):
        return _listed(value)
    return []


def _as_long(value: Any, size: int) -> list[Any]:
    found = value if isinstance(value, list) else []
    return (found + [None] * size)[:size]


def _word(value: object) -> str:
    return str(getattr(value, "value", value) or "").casefold()
