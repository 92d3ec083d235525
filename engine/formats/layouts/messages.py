"""OpenAI chat: messages of {role, content}."""

from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import stands_alone
from engine.formats.turns import OPENAI, chat, equipped, is_turns, place, references, share, turns

TITLE = "Chat messages"
KIND: Kind = "sft"
SUMMARY = "messages: a list of {role, content}; tools (may be absent)"
COLUMNS = frozenset({"messages", "tools", "references", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with messages and no pair or label beside them."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat; content in typed parts is joined when every part is text.

    Tools are listed in the system turn, and a call is the text of its JSON.
    """
    messages = equipped(row, turns(row.get("messages"), OPENAI, "messages"))
    return chat(messages, references=references(row), **place(row, number))


def _fits(row: FileRow) -> bool:
    return is_turns(row.get("messages"), OPENAI) and stands_alone(row)
