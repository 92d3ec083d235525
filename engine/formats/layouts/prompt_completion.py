"""Prompt and completion, as texts or as lists of turns."""

from typing import Any

from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import (
    answer_to,
    answers,
    has_rejected,
    history,
    label_of,
    prompt_turns,
    several,
)
from engine.formats.turns import assistant, chat, place, present, references, share, system

TITLE = "Prompt and completion"
KIND: Kind = "sft"
SUMMARY = "prompt, completion or response (one or a list), references (may be absent)"
COLUMNS = frozenset(
    {"prompt", "completion", "response", "references", "system", "history", "group"}
)


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a prompt and one answer, and no label or second answer."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat of the prompt and its completion, both kept to the letter.

    Of several completions the first is learned, and all are references.
    """
    prompt = (*system(row), *history(row), *prompt_turns(row))
    column = present(row, "completion", "response")
    if _texts(row.get(column)):
        accepted = answers(row, column)
        answer, others = accepted[0], references(row) or several(accepted)
    else:
        answer, others = answer_to(prompt, row, column), references(row)
    return chat((*prompt, assistant(answer)), references=others, **place(row, number))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, str) for x in value)


def _fits(row: FileRow) -> bool:
    answers = {"completion", "response"} & row.keys()
    judged = "chosen" in row or label_of(row.get("label")) is not None
    return "prompt" in row and len(answers) == 1 and not judged and not has_rejected(row)
