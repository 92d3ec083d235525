"""Alpaca and Dolly: an instruction, perhaps an input, and the output."""

from typing import Any

from engine.core.errors import RowError
from engine.core.examples import Chat, Kind, Message
from engine.core.parsed import FileRow
from engine.formats.sides import answers, several
from engine.formats.turns import assistant, chat, kind_of, place, present, share, system, text, user

TITLE = "Alpaca"
KIND: Kind = "sft"
SUMMARY = "instruction, input or context (may be absent), output or response"
COLUMNS = frozenset(
    {"instruction", "input", "context", "output", "response", "system", "history", "group"}
)


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with an instruction and an answer."""
    return share(rows, lambda row: "instruction" in row and ("output" in row or "response" in row))


def read(row: FileRow, number: int) -> Chat:
    """A chat whose question is the instruction, then a blank line and the input if there is one."""
    asked = text(row, "instruction")
    extra = "input" if row.get("input") else "context"
    if row.get(extra):
        asked = f"{asked}\n\n{text(row, extra)}"
    accepted = answers(row, present(row, "output", "response"))
    messages = (*system(row), *_history(row.get("history")), user(asked), assistant(accepted[0]))
    return chat(messages, references=several(accepted), **place(row, number))


def _history(value: Any) -> list[Message]:
    if not value:
        return []
    if not isinstance(value, list) or not all(_is_exchange(item) for item in value):
        raise RowError(f"'history' is {kind_of(value)}, not a list of [question, answer]")
    return [turn for asked, given in value for turn in (user(asked), assistant(given))]


def _is_exchange(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(isinstance(x, str) for x in item)
