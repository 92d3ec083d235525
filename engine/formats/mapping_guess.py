"""Columns that no layout knows -> a mapping to propose, from their names and what is in them.

The names that are known: known_column_names.py.
"""

from collections import Counter
from typing import Any

from engine.core.column_mapping import ColumnMapping, ColumnRole
from engine.core.examples import Kind
from engine.formats.known_column_names import is_beside, is_rejected, likeness, words_of
from engine.formats.mapping import DISLIKED, LIKED, Rows
from engine.formats.prompt_and_answer import is_answers, label_of
from engine.formats.turns import OPENAI, SHAREGPT, is_turns

LOOKED_AT = 200  # rows
ENOUGH = 4  # rows before a column that never changes counts as a placeholder
KINDS: tuple[tuple[Kind, tuple[ColumnRole, ...]], ...] = (
    ("unpaired", ("label", "answer", "prompt")),
    ("sft", ("answer", "prompt")),
)
SURE_NAME = 2.9  # a likeness: among the first hundred names of its role


def guess(rows: Rows) -> ColumnMapping | None:
    """What the columns are likely to be, or None when nothing is likely; never used unasked."""
    head = list(rows[:LOOKED_AT])
    columns = _texts(head)
    if pair := _pair(columns, head):
        return pair
    # what was rejected is never learned, not even where nothing says what was chosen
    columns = [column for column in columns if not is_rejected(column)]
    for kind, roles in KINDS:
        found = _assigned(roles, columns, head)
        if len(found) == len(roles):
            return ColumnMapping(kind=kind, columns=_ordered(_aside(found, columns, head)))
    return _by_place(columns, head)


def _pair(columns: list[str], rows: Rows) -> ColumnMapping | None:
    """A chosen and a rejected answer with what they answer; whole chats say that themselves."""
    sides = _assigned(("chosen", "rejected"), columns, rows)
    if len(sides) == 2 and all(_is_chat(column, rows) for column in sides.values()):
        return ColumnMapping(kind="preference", columns=_ordered(sides))
    found = _assigned(("chosen", "rejected", "prompt"), columns, rows)
    if len(found) < 3:  # beside a rejected answer the other answer is the chosen one
        rejected = [column for column in columns if is_rejected(column)]
        left = [column for column in columns if column not in rejected]
        others = _assigned(("answer", "prompt"), left, rows)
        if len(rejected) != 1 or len(others) < 2:
            return None
        found = {
            "prompt": others["prompt"],
            "chosen": others["answer"],
            "rejected": rejected[0],
        }
    return ColumnMapping(kind="preference", columns=_ordered(_aside(found, columns, rows)))


def _is_chat(column: str, rows: Rows) -> bool:
    values = [row[column] for row in rows if row.get(column)]
    return bool(values) and all(isinstance(v, list) and len(v) > 1 and _is_turns(v) for v in values)


def _assigned(
    roles: tuple[ColumnRole, ...], columns: list[str], rows: Rows
) -> dict[ColumnRole, str]:
    """Of each role the free column whose name fits it best, the surest pair first."""
    scored = sorted(
        (
            (-likeness(column, role), n, role, column)
            for n, column in enumerate(columns)
            for role in roles
            if likeness(column, role) and _can_be(role, column, rows)
        ),
    )
    found: dict[ColumnRole, str] = {}
    for _, _, role, column in scored:
        if role not in found and column not in found.values():
            found[role] = column
    return found


def _aside(found: dict[ColumnRole, str], columns: list[str], rows: Rows) -> dict[ColumnRole, str]:
    """The same with a system text and a context, where free columns are called so."""
    free = [column for column in columns if column not in found.values()]
    for role in ("system", "context"):
        more = _assigned((role,), free, rows)
        if more and likeness(more[role], role) > 2:
            found = {**found, **more}
            free.remove(more[role])
    return found


def _by_place(columns: list[str], rows: Rows) -> ColumnMapping | None:
    """One name says its role, or none does: then what is asked stands before what is answered."""
    known = {**_assigned(("answer",), columns, rows), **_assigned(("prompt",), columns, rows)}
    if len(set(known.values())) < len(known):  # one column for both: its name leans to one
        column = known["prompt"]
        leans = likeness(column, "prompt") >= likeness(column, "answer")
        known = {"prompt": column} if leans else {"answer": column}
    free = [column for column in columns if column not in known.values()]
    if len(columns) == 1:
        text: ColumnRole = "prompt" if likeness(columns[0], "prompt") > SURE_NAME else "text"
        return ColumnMapping(
            kind="prompts" if text == "prompt" else "text", columns={text: columns[0]}
        )
    if not free:
        return None
    if not known:
        first, second = _two(free, rows)
        return ColumnMapping(kind="sft", columns={"prompt": first, "answer": second})
    if "answer" in known:
        return ColumnMapping(
            kind="sft", columns=_ordered(_aside({**known, "prompt": free[0]}, [], rows))
        )
    with_aside = _aside(known, columns, rows)
    left = [column for column in free if column not in with_aside.values()]
    if len(left) == 1:
        return ColumnMapping(kind="sft", columns=_ordered({**with_aside, "answer": left[0]}))
    return ColumnMapping(kind="prompts", columns=_ordered(with_aside))


def _two(columns: list[str], rows: Rows) -> tuple[str, str]:
    """The two longest of the columns in their order; few different values are answers."""
    longest = sorted(columns, key=lambda column: -_length(column, rows))[:2]
    first, second = sorted(longest, key=columns.index)
    few = len({str(row.get(first)) for row in rows}) * 4 < len(rows)
    many = len({str(row.get(second)) for row in rows}) * 2 > len(rows)
    return (second, first) if few and many else (first, second)


def _length(column: str, rows: Rows) -> int:
    return sum(len(str(row.get(column, ""))) for row in rows)


def _ordered(found: dict[ColumnRole, str]) -> dict[ColumnRole, str]:
    order: tuple[ColumnRole, ...] = (
        "system", "context", "prompt", "answer", "chosen", "rejected", "label", "references",
    )  # fmt: skip
    return {role: found[role] for role in order if role in found}


def _can_be(role: ColumnRole, column: str, rows: Rows) -> bool:
    if role == "prompt" and likeness(column, "system") > SURE_NAME:
        return False
    values = [row[column] for row in rows if column in row]
    if role == "label":
        return all(_is_label(value) for value in values)
    return all(isinstance(v, int) or is_answers(v) or _is_turns(v) for v in values)


def _is_label(value: Any) -> bool:
    return label_of(value) is not None or str(value).strip().casefold() in LIKED | DISLIKED


def _texts(rows: Rows) -> list[str]:
    """The columns that may be said or asked: texts that differ, and no pair of numbered ones."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    kept = [name for name in columns if not is_beside(name) and _differs(name, rows)]
    stems = Counter(tuple(_stem(name)) for name in kept)
    single = [name for name in kept if stems[tuple(_stem(name))] == 1]
    return [name for name in single if not _is_origin(name, single, rows)]


def _is_origin(column: str, columns: list[str], rows: Rows) -> bool:
    """Whether the column says where a row comes from: addresses, or a source beside two texts."""
    values = [str(row[column]) for row in rows if row.get(column)]
    if all(value.startswith(("http://", "https://")) and " " not in value for value in values):
        return True
    if words_of(column)[-1:] not in (["source"], ["origin"], ["quelle"], ["fuente"]):
        return False
    others = [name for name in columns if name != column]
    return len(others) > 1 and not any(likeness(name, "answer") > SURE_NAME for name in others)


def _stem(name: str) -> list[str]:
    words = words_of(name)
    return words[:-1] if len(words) > 1 and words[-1] in ("1", "2", "a", "b", "x", "y") else [name]


def _differs(column: str, rows: Rows) -> bool:
    """Whether the values are texts or judgements, and not one placeholder in every row."""
    values = [row[column] for row in rows if row.get(column) not in (None, "", [])]
    if not values:
        return False
    if len(values) >= ENOUGH and all(value == values[0] for value in values):
        return False
    if all(_is_label(value) for value in values):
        return likeness(column, "label") > 0
    if likeness(column, "answer") > SURE_NAME and all(isinstance(v, str | int) for v in values):
        return True  # an answer may well be a number
    texts = [value for value in values if is_answers(value) or _is_turns(value)]
    return len(texts) == len(values) and not all(_is_number(value) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.strip().replace(".", "", 1).lstrip("-").isdigit()


def _is_turns(value: Any) -> bool:
    return is_turns(value, OPENAI) or is_turns(value, SHAREGPT)
