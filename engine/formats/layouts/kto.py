"""Unpaired judgements: one answer and whether it was liked."""

from engine.core.errors import RowError
from engine.core.examples import Kind, Unpaired
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import answer_to, label_of, last_answer, prompt_turns
from engine.formats.turns import place, share

TITLE = "Answers with a label"
KIND: Kind = "unpaired"
SUMMARY = "prompt and completion, or messages; label: true or false"
COLUMNS = frozenset({"prompt", "completion", "messages", "label", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a conversation and a true-or-false label."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Unpaired:
    """An answer with its label."""
    label = label_of(row.get("label"))
    if label is None:
        raise RowError(f"'label' is {str(row.get('label'))[:40]!r}, neither true nor false")
    if "messages" in row:
        prompt, completion = last_answer(row, "messages")
    else:
        prompt = prompt_turns(row)
        completion = answer_to(prompt, row, "completion")
    if not prompt:
        raise RowError("there is only an answer, and nothing that it answers")
    return Unpaired(prompt=prompt, completion=completion, label=label, **place(row, number))


def _fits(row: FileRow) -> bool:
    spoken = "messages" in row or {"prompt", "completion"} <= row.keys()
    return spoken and label_of(row.get("label")) is not None
