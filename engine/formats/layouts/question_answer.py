"""Questions with their answers, perhaps about a text: GSM8K, NQ-open, flat SQuAD."""

import hashlib
from typing import Any

from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import REJECTED, answers, is_answers, several
from engine.formats.turns import assistant, chat, place, present, share, system, text, user, written

TITLE = "Questions and answers"
KIND: Kind = "sft"
SUMMARY = "question, answer or answers (one, a list, or {text: [...]}), context (may be absent)"
COLUMNS = frozenset({"question", "answer", "answers", "context", "title", "system", "group"})
# beside these a question needs more than its own words, or its answer is no model of one
OTHER = frozenset({"label", "chosen", *REJECTED, "choices", "options"})
NONE = "unanswerable"  # what is learned where SQuAD 2 says that the text gives no answer


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a question and one column of answers."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat: the text if there is one, a blank line, the question; its first answer is learned.

    All answers are references. Questions about one text are one group.
    """
    asked = text(row, "question")
    if row.get("context"):
        asked = f"{text(row, 'context')}\n\n{asked}"
    column = present(row, "answers", "answer")
    accepted = _accepted(row, column)
    messages = (*system(row), user(asked), assistant(accepted[0]))
    return chat(messages, references=several(accepted), **_place(row, number))


def _accepted(row: FileRow, column: str) -> tuple[str, ...]:
    if _none(row.get(column)):
        return (NONE,)
    return tuple(dict.fromkeys(answers(row, column)))


def _place(row: FileRow, number: int) -> FileRow:
    placed = place(row, number)
    about = row.get("title") or row.get("context")
    if placed["group"] is None and row.get("context") and isinstance(about, str):
        placed["group"] = hashlib.sha256(about.encode()).hexdigest()[:16]
    return placed


def _fits(row: FileRow) -> bool:
    given = [row[name] for name in ("answer", "answers") if name in row]
    if "question" not in row or len(given) != 1 or OTHER & row.keys():
        return False
    return is_answers(written(given[0])) or _none(given[0])


def _none(value: Any) -> bool:
    return value == [] or (isinstance(value, dict) and value.get("text") == [])
