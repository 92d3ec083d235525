"""ms-swift's conversations: a list of exchanges, each a human's words and the assistant's."""

from typing import Any, TypeGuard

from engine.core.errors import RowError
from engine.core.examples import Chat, Kind, Message
from engine.core.parsed_file import FileRow
from engine.formats.turns import assistant, chat, place, share, system, text, user

TITLE = "Exchanges"
KIND: Kind = "sft"
SUMMARY = "conversation: a list of {human, assistant}; system (may be absent)"
COLUMNS = frozenset({"conversation", "system", "group"})
SIDES = frozenset({"human", "assistant"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a list of exchanges."""
    return share(rows, lambda row: _are_exchanges(row.get("conversation")))


def read(row: FileRow, number: int) -> Chat:
    """A chat: two turns of each exchange."""
    found = row.get("conversation")
    if not _are_exchanges(found):
        raise RowError("has no list of {human, assistant} in 'conversation'")
    turns: list[Message] = []
    for exchange in found:
        turns += [user(text(exchange, "human")), assistant(text(exchange, "assistant"))]
    return chat((*system(row), *turns), **place(row, number))


def _are_exchanges(value: Any) -> TypeGuard[list[FileRow]]:
    """Whether it is a list of objects with a side of an exchange; a missing one is an error."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and SIDES & one.keys() for one in value)
    )
