"""ShareGPT: conversations of {from, value}."""

from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import stands_alone
from engine.formats.turns import SHAREGPT, chat, equipped, is_turns, place, share, system, turns

TITLE = "ShareGPT"
KIND: Kind = "sft"
SUMMARY = "conversations: a list of {from, value}; system, tools (may be absent)"
COLUMNS = frozenset({"conversations", "system", "tools", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with such a conversation and no pair of answers beside it."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat; function_call becomes a turn of the assistant, observation one of the tool."""
    messages = turns(row.get("conversations"), SHAREGPT, "conversations")
    return chat(equipped(row, (*system(row), *messages)), **place(row, number))


def _fits(row: FileRow) -> bool:
    return is_turns(row.get("conversations"), SHAREGPT) and stands_alone(row)
