"""JSON lines and JSON arrays -> numbered rows."""

import json
import re
from contextlib import suppress
from typing import Any

from engine.core.errors import UserError
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files.loaded_file import LoadedFile, NumberedRow

# an object, or an array that does not merely look like one, as "[Chapter 1]" does
START = re.compile(r'\s*(\{|\[\s*([\[{\]"]|$))')
ONE_ROW_A_LINE = "Give one JSON object a line (JSONL), or an array of objects."
MOST_COLUMNS = 100  # of rows that are arrays; their columns are called 1, 2, ...
INCOMPLETE = "Export it again and upload the whole file."
# under these names an object keeps the list of its rows, as SQuAD and pandas' "table" write it
WRAPPERS = ("data", "rows", "examples", "train", "items", "records")


def is_json(text: str) -> bool:
    """Whether the text begins as JSON does."""
    return START.match(text) is not None


def json_rows(text: str, known: frozenset[str] = frozenset()) -> LoadedFile:
    """The rows of JSONL by line or of an array by item; a broken line is left out and reported.

    An object of named rows, of named columns or around a list of rows gives these rows; `known`
    are the columns of layouts, by which a single row is told from an object of rows.
    """
    if text.lstrip().startswith("["):
        return _array(_whole_or_lines(text))
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    first = _parse(*lines[0])
    if len(lines) > 1 and not isinstance(first, BrokenRow):
        return _sorted_out([_parse(*line) for line in lines])
    return _object_or_lines(text, lines, known)


def _object_or_lines(text: str, lines: list[tuple[int, str]], known: frozenset[str]) -> LoadedFile:
    """One object over many lines, or JSONL whose first line is broken."""
    parsed = [_parse(*line) for line in lines]
    if len(lines) > 1 and sum(isinstance(p, BrokenRow) for p in parsed) * 2 <= len(parsed):
        return _sorted_out(parsed)
    return _object(_whole(text), known)


def _whole_or_lines(text: str) -> Any:
    """The items of one array, or of one array a line."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        with suppress(ValueError, RecursionError):
            items = [json.loads(line, parse_float=_float) for line in lines]
            if all(isinstance(item, list) for item in items):
                return items
    return _whole(text)


def _array(items: Any) -> LoadedFile:
    if items and all(isinstance(item, list) and item for item in items):
        wide = {len(item) for item in items}
        if len(wide) == 1 and max(wide) <= MOST_COLUMNS and not any(map(_is_nested, items)):
            items = [{str(n): cell for n, cell in enumerate(item, 1)} for item in items]
    return _sorted_out([_row(number, item) for number, item in enumerate(items, 1)])


def _object(value: FileRow, known: frozenset[str]) -> LoadedFile:
    wrapped = [value[name] for name in WRAPPERS if isinstance(value.get(name), list)]
    if len(wrapped) == 1 and all(isinstance(item, dict) for item in wrapped[0]):
        return _array([_bare(item) for item in wrapped[0]])
    columns = _columns(value)
    if columns:
        return _array(columns)
    inner = list(value.values())
    if len(inner) < 2 or not all(isinstance(item, dict) for item in inner) or known & value.keys():
        return LoadedFile([(1, value)], [])
    return _array([{"id": name, **row} for name, row in value.items()])


def _is_nested(item: list[Any]) -> bool:
    return any(isinstance(cell, dict | list) for cell in item)


def _bare(item: FileRow) -> FileRow:
    """The row itself where it is wrapped once more, as the Hub's viewer exports it."""
    row = item.get("row")
    return row if isinstance(row, dict) and "row_idx" in item else item


def _columns(value: FileRow) -> list[FileRow]:
    """The rows of an object of columns {name: {"0": cell, "1": cell}}, as pandas writes it."""
    inner = list(value.values())
    if not inner or not all(isinstance(column, dict) and column for column in inner):
        return []
    numbers = list(inner[0])
    if not all(n.isdigit() for n in numbers) or any(list(c) != numbers for c in inner):
        return []
    return [{name: column[n] for name, column in value.items()} for n in numbers]


def _whole(text: str) -> Any:
    try:
        return json.loads(text, parse_float=_float)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            problem = f"The JSON breaks off in line {error.lineno}: the file is incomplete."
            raise UserError(problem, INCOMPLETE) from None
        problem = f"Line {error.lineno} is not valid JSON: {_reason(error)}."
        raise UserError(problem, ONE_ROW_A_LINE) from None
    except (ValueError, RecursionError):
        raise UserError("The JSON is nested too deeply.", ONE_ROW_A_LINE) from None


def _float(written: str) -> float | str:
    """The number, or its text where Python would write it in another way, as 1.10 and 1e3."""
    value = float(written)
    return value if repr(value) == written else written


def _parse(number: int, line: str) -> NumberedRow | BrokenRow:
    try:
        return _row(number, json.loads(line, parse_float=_float))
    except json.JSONDecodeError as error:
        return BrokenRow(number, f"not valid JSON: {_reason(error)}")
    except (ValueError, RecursionError):
        return BrokenRow(number, "not valid JSON: nested too deeply or a number too long")


def _row(number: int, value: Any) -> NumberedRow | BrokenRow:
    if isinstance(value, dict):
        return number, value
    return BrokenRow(number, "not a JSON object with named fields")


def _sorted_out(parsed: list[NumberedRow | BrokenRow]) -> LoadedFile:
    return LoadedFile(
        [row for row in parsed if not isinstance(row, BrokenRow)],
        [row for row in parsed if isinstance(row, BrokenRow)],
    )


def _reason(error: json.JSONDecodeError) -> str:
    return f"{error.msg[0].lower()}{error.msg[1:]} at column {error.colno}"
