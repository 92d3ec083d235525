"""Messages tied to the one before by ids under any names, as OpenAssistant's columns."""

from typing import NamedTuple

from engine.core.parsed_file import FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import ROLES

TEXTS = ("text", "content", "message", "body", "value")


class _Names(NamedTuple):
    message: str
    parent: str
    role: str
    text: str


def columns(rows: list[FileRow]) -> frozenset[str]:
    """The columns that hold the ids, the role and the text; empty where they are no thread."""
    return frozenset(_names(rows) or ())


def renamed(rows: list[NumberedRow]) -> list[NumberedRow]:
    """The rows under OpenAssistant's names; as they are where they are no thread."""
    found = _names([row for _, row in rows])
    if found is None:
        return rows
    return [
        (
            number,
            {
                "message_id": row.get(found.message),
                "parent_id": row.get(found.parent),
                "role": _role(row.get(found.role)),
                "text": row.get(found.text),
                "group": row.get("group"),
            },
        )
        for number, row in rows
    ]


def _role(value: object) -> str:
    return ROLES.get(str(value).strip().lower(), str(value))


def _names(rows: list[FileRow]) -> _Names | None:
    """The columns that play the four parts, None where one of them has none."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    roles = [name for name in names if _speaks(name, rows)]
    ids = [name for name in names if _is_id(name, rows)]
    ties = [
        (own, parent)
        for own in ids
        for parent in names
        if parent != own and _answers(own, parent, rows)
    ]
    if not roles or not ties:
        return None
    own, parent = ties[0]
    left = [name for name in names if name not in (own, parent, roles[0], "group")]
    texts = [name for name in left if all(isinstance(row.get(name), str) for row in rows)]
    named = [name for name in texts if name.lower() in TEXTS]
    longest = sorted(texts, key=lambda name: -sum(len(row[name]) for row in rows))
    if not texts:
        return None
    return _Names(own, parent, roles[0], (named or longest)[0])


def _speaks(name: str, rows: list[FileRow]) -> bool:
    speakers = {ROLES.get(str(row.get(name)).strip().lower()) for row in rows}
    return None not in speakers and {"user", "assistant"} <= speakers


def _is_id(name: str, rows: list[FileRow]) -> bool:
    values = [row.get(name) for row in rows]
    known = all(isinstance(value, str | int) and value != "" for value in values)
    return known and len(set(values)) == len(values) > 1


def _answers(own: str, parent: str, rows: list[FileRow]) -> bool:
    """Whether most rows that name a parent name a row that is there, and some name none."""
    ids = {str(row[own]) for row in rows}
    named = [row[parent] for row in rows if row.get(parent) not in (None, "")]
    if not named or not all(isinstance(value, str | int) for value in named):
        return False
    there = sum(str(value) in ids for value in named)
    return len(named) < len(rows) and there * 2 > len(named)
