"""The question and the answer in what a program logged: the inputs and outputs of a run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from engine.core.examples import Message
from engine.core.parsed_file import BrokenRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import ROLES

ASKED = ("messages", "question", "input", "prompt", "query", "text", "content", "human_input")
ANSWERED = (
    "answer",
    "output",
    "response",
    "text",
    "content",
    "completion",
    "result",
    "generations",
)
SPOKEN = {**ROLES, "ai": "assistant"}  # LangChain's word for the model
DEEPEST = 8


def question_in(value: Any) -> tuple[Message, ...]:
    """The turns that a run was asked; none where they can't be told."""
    for _ in range(DEEPEST):
        if isinstance(value, str):
            return (Message(role="user", content=value),) if value.strip() else ()
        if isinstance(value, list):
            if value and all(isinstance(each, list) for each in value):
                value = value[0]  # a batch of one
                continue
            return _turns(value)
        if not isinstance(value, dict):
            return ()
        key = next((name for name in ASKED if value.get(name)), None)
        if key is None and len(value) == 1:
            key = next(iter(value))
        if key is None:
            return ()
        value = value[key]
    return ()


def answer_in(value: Any) -> str | None:
    """The text that a run answered; None where it can't be told."""
    for _ in range(DEEPEST):
        if isinstance(value, str):
            return value if value.strip() else None
        if isinstance(value, list) and value:
            value = value[-1]
            continue
        if not isinstance(value, dict):
            return None
        key = next((name for name in (*ANSWERED, "message", "messages", "kwargs", "choices")
                    if value.get(name)), None)  # fmt: skip
        if key is None and len(value) == 1:
            key = next(iter(value))
        if key is None:
            return None
        value = value[key]
    return None


def _turns(listed: list[Any]) -> tuple[Message, ...]:
    found = []
    for each in listed:
        if not isinstance(each, dict):
            return ()
        inner = each.get("kwargs")
        kept = inner if isinstance(inner, dict) else each
        name = kept.get("role") or kept.get("type") or each.get("type")
        role = SPOKEN.get(str(name).casefold())
        text = answer_in(kept.get("content"))
        if role is None:
            return ()
        if text is not None:
            found.append(Message(role=role, content=text))
    return tuple(found)


def no_objects(rows: Sequence[NumberedRow], column: str) -> Iterator[BrokenRow]:
    """The rows whose list in `column` holds something else than objects, once each."""
    for number, row in rows:
        listed = row.get(column)
        if isinstance(listed, list) and not all(isinstance(each, dict) for each in listed):
            yield BrokenRow(number, f"has {column!r} with something else than objects in it")


def most_used(names: Iterable[str]) -> str:
    """The name that occurs most often, the first of several; empty without one."""
    counted = Counter(names).most_common(1)
    return counted[0][0] if counted else ""
