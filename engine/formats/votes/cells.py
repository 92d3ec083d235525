"""What a cell or field of a file of votes says: a name, a prompt, an answer, a time, a number."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import isfinite

from engine.core.errors import RowError
from engine.core.examples import Message
from engine.core.normalise import question_key
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import last_answer, prompt_turns
from engine.formats.turns import text, written

LONGEST_NAME = 120
LATEST = 4_102_444_800.0  # the year 2100, in seconds since 1970
PERSON = ("email", "username", "name", "display_name", "id")


def name_of(value: object) -> str:
    """What somebody or some model is called; empty for nothing. An object is named by a field."""
    if isinstance(value, dict):
        value = next((value[key] for key in PERSON if value.get(key) not in (None, "")), None)
    plain = written(value)
    if not isinstance(plain, str):
        return ""
    called = " ".join(plain.split())
    return "".join(mark for mark in called if mark.isprintable())[:LONGEST_NAME]


def people(known: Iterable[tuple[object, object]]) -> dict[str, str]:
    """What the person behind each id is called: by name, and by the id too where two share it."""
    called = {name_of(number): name_of(name) for name, number in known if name_of(number)}
    shared = Counter(called.values())
    return {
        number: f"{name} ({number[:8]})" if name and shared[name] > 1 else name or number
        for number, name in called.items()
    }


def prompt_of(row: FileRow, column: str | None) -> tuple[Message, ...]:
    """The turns of the prompt in a column; none where there is no column or nothing in it."""
    if column is None or row.get(column) in (None, "", []):
        return ()
    return prompt_turns(row, column)


def answer_of(row: FileRow, column: str | None) -> tuple[tuple[Message, ...], str | None]:
    """The answer in a column and the turns before it; (), None without a column or a value."""
    if column is None or row.get(column) is None:
        return (), None
    if isinstance(row[column], list | dict):
        return last_answer(row, column)
    return (), text(row, column)


def item_of(prompt: Sequence[Message], number: int) -> str:
    """What tells this prompt from others; a row without one stands for itself."""
    return question_key(tuple(prompt)) if prompt else f"row {number}"


def seconds(value: object) -> float | None:
    """A time as seconds since 1970, from those, milliseconds or ISO 8601; None for anything else.

    A time without a zone is taken as UTC.
    """
    if isinstance(value, bool):
        return None
    plain = number(value)
    if plain is not None:
        return _within(plain)
    if isinstance(value, str) and value.strip():
        try:
            read = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
            return _within((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            return None
    return None


def _within(at: float) -> float | None:
    for unit in (1.0, 1e3, 1e6, 1e9):  # seconds, or parts of one
        if 0 < at / unit < LATEST:
            return at / unit
    return None


def number(value: object) -> float | None:
    """A finite number, also where it is written as text; None for anything else."""
    if isinstance(value, bool):
        return float(value)
    try:
        found = float(value)  # type: ignore[arg-type]  # whatever it is, it becomes one or raises
    except (TypeError, ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def length(value: object, what: str) -> float | None:
    """The length of an answer; None where there is none, RowError for what is no length."""
    if value in (None, ""):
        return None
    found = number(value)
    if found is None or found < 0:
        raise RowError(f"has the {what} {str(value)[:40]!r}")
    return found
