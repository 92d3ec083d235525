"""Prompts and answers that a file may give as text, as one turn or as a list of turns."""

from typing import Any

from engine.core.errors import RowError
from engine.core.examples import Message
from engine.core.parsed_file import FileRow
from engine.formats.turns import (
    assistant,
    keys_of,
    kind_of,
    references,
    text,
    turns,
    user,
    written,
)

REJECTED = frozenset({"rejected", "rejected_response", "rejected_messages"})
LABELS = {"true": True, "1": True, "false": False, "0": False}


def prompt_turns(row: FileRow, column: str = "prompt") -> tuple[Message, ...]:
    """The turns of the prompt in `column`; a text is one turn of the user."""
    value = row.get(column)
    if isinstance(value, list):
        return turns(value, keys_of(value), column)
    return (user(text(row, column)),)


def last_answer(row: FileRow, column: str) -> tuple[tuple[Message, ...], str]:
    """The answer in `column` and the turns that the column gives before it, often none."""
    value = row.get(column)
    if isinstance(value, dict) and {"role", "from"} & value.keys():
        value = [value]
    if not isinstance(value, list):
        return (), text(row, column)
    found = turns(value, keys_of(value), column)
    if found[-1].role != "assistant":
        raise RowError(f"{column!r} ends with a turn from {found[-1].role}, not with an answer")
    return found[:-1], found[-1].content


def answer_to(prompt: tuple[Message, ...], row: FileRow, column: str) -> str:
    """The answer in `column`; what the column gives before it must be the end of `prompt`."""
    before, answer = last_answer(row, column)
    if before and before != prompt[-len(before) :]:
        raise RowError(f"{column!r} has turns before its answer that differ from the prompt")
    return answer


def answers(row: FileRow, column: str) -> tuple[str, ...]:
    """The answers in `column`, at least one: a text, a list of texts, or SQuAD's {"text": [...]}.

    The first is the one to learn; all of them count as right.
    """
    value = row.get(column)
    found = value.get("text") if isinstance(value, dict) else value
    if isinstance(found, list) and found:
        return references({column: found}, column)
    return (text({column: found}, column),)


def history(row: FileRow, column: str = "history") -> tuple[Message, ...]:
    """The earlier turns in `column`: a list of [question, answer] or of turns; often none."""
    value = row.get(column)
    if not value:
        return ()
    if not isinstance(value, list):
        raise RowError(f"{column!r} is {kind_of(value)}, not a list of [question, answer]")
    if all(isinstance(item, dict) for item in value):
        return turns(value, keys_of(value), column)
    messages: list[Message] = []
    for n, item in enumerate(value, 1):
        exchange = list(map(written, item)) if isinstance(item, list) else []
        if len(exchange) != 2 or not all(isinstance(one, str) for one in exchange):
            raise RowError(f"item {n} of {column!r} is not [question, answer]")
        messages += [user(exchange[0]), assistant(exchange[1])]
    return tuple(messages)


def has_rejected(row: FileRow) -> bool:
    """Whether the row holds an answer that must not be learned."""
    return not REJECTED.isdisjoint(row)


def stands_alone(row: FileRow) -> bool:
    """Whether no pair of answers and no label stands beside a conversation."""
    return not {"chosen", "label"} & row.keys() and not has_rejected(row)


def several(accepted: tuple[str, ...]) -> tuple[str, ...]:
    """The references of an example: none where its only answer says it all."""
    return accepted if len(accepted) > 1 else ()


def is_answers(value: Any) -> bool:
    """Whether `answers` could read the value."""
    found = value.get("text") if isinstance(value, dict) else value
    texts = isinstance(found, list) and bool(found) and all(isinstance(x, str) for x in found)
    return isinstance(found, str) or texts


def label_of(value: Any) -> bool | None:
    """True or false as JSON, 0 and 1, or the words of a CSV file write it; None for all else."""
    if isinstance(value, bool):
        return value
    return LABELS.get(str(value).strip().lower()) if isinstance(value, int | str) else None
