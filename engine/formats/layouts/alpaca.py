"""Alpaca and Dolly: an instruction, perhaps an input, and the output."""

from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import answers, has_rejected, history, several
from engine.formats.turns import assistant, chat, place, present, share, system, text, user

TITLE = "Alpaca"
KIND: Kind = "sft"
SUMMARY = "instruction, input or context (may be absent), output or response"
COLUMNS = frozenset(
    {"instruction", "input", "context", "output", "response", "system", "history", "group"}
)


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with an instruction and an answer."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat whose question is the instruction, then a blank line and the input if there is one."""
    asked = text(row, "instruction")
    extra = "input" if row.get("input") else "context"
    if row.get(extra):
        asked = f"{asked}\n\n{text(row, extra)}"
    accepted = answers(row, present(row, "output", "response"))
    messages = (*system(row), *history(row), user(asked), assistant(accepted[0]))
    return chat(messages, references=several(accepted), **place(row, number))


def _fits(row: FileRow) -> bool:
    answered = "output" in row or "response" in row
    return "instruction" in row and answered and not has_rejected(row)
