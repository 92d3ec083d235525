"""ms-swift: a conversation or a query with its response, and a rejected response beside it."""

from typing import Any

from engine.core.errors import RowError
from engine.core.examples import Kind, Message, Preference
from engine.core.parsed_file import FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.prompt_and_answer import answer_to, history, prompt_turns
from engine.formats.turns import (
    equipped,
    keys_of,
    place,
    present,
    share,
    system,
    text,
    turns,
    written,
)

TITLE = "Rejected response"
KIND: Kind = "preference"
SUMMARY = (
    "messages, or query or prompt and response (history may be absent); rejected_response: a text, "
    "a list of texts or of turns, or rejected_messages"
)
REJECTED = ("rejected_response", "rejected_messages")
CHATS = ("messages", "conversations")
ASKED = ("query", "prompt", "instruction")
ANSWERED = ("response", "completion", "output")
COLUMNS = frozenset(
    {*REJECTED, *CHATS, *ASKED, *ANSWERED, "input", "history", "system", "tools", "group"}
)


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a rejected response beside a conversation or an answer."""
    return share(rows, _fits)


def unfold(rows: list[NumberedRow]) -> list[NumberedRow]:
    """One rejected response a row; several of one row stay on one side of a split."""
    opened = []
    for number, row in rows:
        several = row.get("rejected_response")
        if not isinstance(several, list) or any(isinstance(one, dict | list) for one in several):
            opened.append((number, row))
            continue
        group = row.get("group") or (f"row {number}" if len(several) > 1 else None)
        for one in several or [None]:
            opened.append((number, {**row, "rejected_response": one, "group": group}))
    return opened


def read(row: FileRow, number: int) -> Preference:
    """A pair: the last answer of the conversation is chosen, the rejected response is not."""
    prompt, chosen = _chosen(row)
    rejected = _rejected(row, prompt)
    return Preference(prompt=prompt, chosen=chosen, rejected=rejected, **place(row, number))


def _chosen(row: FileRow) -> tuple[tuple[Message, ...], str]:
    column = next((name for name in CHATS if name in row), None)
    if column is None:
        asked = present(row, *ASKED)
        before = prompt_turns(row, asked)
        if row.get("input"):
            more = f"{before[-1].content}\n\n{text(row, 'input')}"
            before = (*before[:-1], before[-1].model_copy(update={"content": more}))
        return (*system(row), *history(row), *before), text(row, present(row, *ANSWERED))
    messages = equipped(row, (*system(row), *turns(row.get(column), keys_of(row[column]), column)))
    if messages[-1].role != "assistant":
        raise RowError(f"{column!r} ends with a turn from {messages[-1].role}, not with an answer")
    if len(messages) == 1:
        raise RowError("there is only an answer, and nothing that it answers")
    return messages[:-1], messages[-1].content


def _rejected(row: FileRow, prompt: tuple[Message, ...]) -> str:
    column = present(row, *REJECTED)
    value: Any = written(row.get(column))
    if isinstance(value, list) and column == "rejected_messages":
        return _last(value, prompt, column)
    return answer_to(prompt, {column: value}, column)


def _last(value: list[Any], prompt: tuple[Message, ...], column: str) -> str:
    """The last answer of a whole chat that asks the same."""
    messages = turns(value, keys_of(value), column)
    asked = tuple(turn for turn in prompt if turn.role != "system")
    before = tuple(turn for turn in messages[:-1] if turn.role != "system")
    if messages[-1].role != "assistant" or (before and before != asked):
        raise RowError(f"{column!r} does not answer the same conversation")
    return messages[-1].content


def _fits(row: FileRow) -> bool:
    given = any(row.get(name) not in (None, "", []) for name in REJECTED)
    answered = any(name in row for name in ASKED) and any(name in row for name in ANSWERED)
    return given and "chosen" not in row and (any(name in row for name in CHATS) or answered)
