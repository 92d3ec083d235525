"""Prompt and completion, as texts or as lists of turns."""

from typing import Any

from engine.core.examples import Chat, Kind
from engine.formats.sides import answer_to, label_of, prompt_turns
from engine.formats.turns import assistant, chat, place, present, references, share, system

KIND: Kind = "sft"
SHAPE = "prompt, completion or response, references (may be absent)"
COLUMNS = frozenset({"prompt", "completion", "response", "references", "system", "group"})


def sniff(rows: list[dict[str, Any]]) -> float:
    """The share of rows with a prompt and one answer, and no label or second answer."""
    return share(rows, _fits)


def read(row: dict[str, Any], number: int) -> Chat:
    """A chat of the prompt and its completion, both kept to the letter."""
    prompt = (*system(row), *prompt_turns(row))
    answer = answer_to(prompt, row, present(row, "completion", "response"))
    return chat((*prompt, assistant(answer)), references=references(row), **place(row, number))


def _fits(row: dict[str, Any]) -> bool:
    answers = {"completion", "response"} & row.keys()
    judged = "chosen" in row or label_of(row.get("label")) is not None
    return "prompt" in row and len(answers) == 1 and not judged
