"""What the layouts share: a column that must be text, and turns of a conversation."""

import json
from contextlib import suppress
from math import isnan
from typing import Any, Literal, NamedTuple

from engine.core.errors import RowError
from engine.core.examples import Chat, Message, RoleName
from engine.core.parsed_file import FileRow

ROLES: dict[str, RoleName] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "function_response": "tool",
    "observation": "tool",
    "ipython": "tool",
}
TEXT_PARTS = ("text", "input_text", "output_text")
TOOLS = "You can call these tools:"
KINDS = {
    "NoneType": "empty",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "text",
    "list": "a list",
    "dict": "an object",
}


class Keys(NamedTuple):
    """Under which names a turn keeps its role and its text."""

    role: str
    content: str


OPENAI = Keys("role", "content")
SHAREGPT = Keys("from", "value")


def place(row: FileRow, number: int) -> FileRow:
    """The fields of every example: its row number, and its group where the row names one."""
    group = row.get("group")
    return {"source_row": number, "group": None if group is None else str(group)}


def written(value: Any) -> Any:
    """Numbers and booleans as a file writes them, NaN as nothing, all else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and isnan(value):
        return None
    return str(value) if isinstance(value, int | float) else value


def text(row: FileRow, column: str) -> str:
    """The text in `column`, of a number its digits; RowError when it is missing or no text."""
    value = written(row.get(column))
    if value is None:
        raise RowError(f"{column!r} is missing")
    if not isinstance(value, str):
        raise RowError(f"{column!r} is {kind_of(value)}, not text")
    return value


def references(row: FileRow, column: str = "references") -> tuple[str, ...]:
    """The accepted answers in `column`: a list of texts or one text; none where it is absent."""
    value = row.get(column)
    if value is None or value == "":
        return ()
    found = list(map(written, value if isinstance(value, list) else [value]))
    for item in found:
        if not isinstance(item, str):
            raise RowError(f"{column!r} holds {kind_of(item)}, not text")
    return tuple(found)


def present(row: FileRow, *columns: str) -> str:
    """The first of `columns` that the row has, or the first of all when it has none."""
    return next((column for column in columns if column in row), columns[0])


def system(row: FileRow) -> list[Message]:
    """The turn made of the column `system`, or none where that is absent or empty."""
    return [Message(role="system", content=text(row, "system"))] if row.get("system") else []


def equipped(row: FileRow, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same with the column `tools` in the system turn, one JSON object a line."""
    listed = _tools(row.get("tools"))
    if not listed:
        return messages
    text = "\n".join([TOOLS, *(json.dumps(one, ensure_ascii=False) for one in listed)])
    if messages[0].role != "system":
        return (Message(role="system", content=text), *messages)
    return (Message(role="system", content=f"{messages[0].content}\n\n{text}"), *messages[1:])


def _tools(listed: Any) -> list[Any]:
    if isinstance(listed, str) and listed.strip():
        try:
            listed = json.loads(listed)
        except (ValueError, RecursionError):
            raise RowError("'tools' is no valid JSON") from None
    if not listed or (isinstance(listed, str) and not listed.strip()):
        return []
    if not isinstance(listed, list):
        raise RowError(f"'tools' is {kind_of(listed)}, not a list")
    return listed


def user(content: str) -> Message:
    """A turn of the person who asks."""
    return Message(role="user", content=content)


def assistant(content: str) -> Message:
    """A turn of the model."""
    return Message(role="assistant", content=content)


def turns(value: Any, keys: Keys, column: str) -> tuple[Message, ...]:
    """The turns of a conversation; RowError names the turn that cannot be read, counted from 1."""
    if value is None:
        raise RowError(f"{column!r} is missing")
    if not isinstance(value, list):
        raise RowError(f"{column!r} is {kind_of(value)}, not a list of turns")
    if not value:
        raise RowError(f"{column!r} has no turns")
    return tuple(turn(item, keys, f"turn {n} of {column!r}") for n, item in enumerate(value, 1))


def turn(value: Any, keys: Keys, where: str) -> Message:
    """One turn of a conversation."""
    if not isinstance(value, dict):
        raise RowError(f"{where} is {kind_of(value)}, not an object")
    role = _role(value.get(keys.role), where)
    weight = _weight(value, where) if role == "assistant" else 1
    calls = value.get("tool_calls")
    if not calls:
        return Message(role=role, content=_content(value, keys, where), weight=weight)
    content = _content(value, keys, where) if value.get(keys.content) else ""
    content = "\n".join(filter(None, [content, *_calls(calls, where)]))
    return Message(role=role, content=content, weight=weight)


def chat(messages: tuple[Message, ...], **fields: Any) -> Chat:
    """A conversation to learn; RowError unless it asks something and somebody answers."""
    if not any(turn.role == "assistant" for turn in messages[1:]) and (
        messages[-1].role != "assistant"
    ):
        raise RowError(f"the last turn is from {messages[-1].role}, so there is no answer to learn")
    if len(messages) == 1:
        raise RowError("there is only an answer, and nothing that it answers")
    if not any(turn.is_learned for turn in messages[1:]):
        raise RowError("every answer has the weight 0, so there is none to learn")
    return Chat(messages=messages, **fields)


def is_turns(value: Any, keys: Keys) -> bool:
    """Whether `value` looks like a conversation with these keys."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and keys.role in item for item in value)
    )


def keys_of(value: Any) -> Keys:
    """ShareGPT's keys when the first turn has them, else OpenAI's."""
    first = value[0] if isinstance(value, list) and value else value
    return SHAREGPT if isinstance(first, dict) and SHAREGPT.role in first else OPENAI


def share(rows: list[FileRow], fits: Any) -> float:
    """The share of `rows` for which `fits` is true, 0 when there are none."""
    return sum(bool(fits(row)) for row in rows) / len(rows) if rows else 0.0


def kind_of(value: Any) -> str:
    """What `value` is, in words a person knows."""
    return KINDS.get(type(value).__name__, "of a type that JSON does not know")


def _calls(calls: Any, where: str) -> list[str]:
    """Each call as {"name": ..., "arguments": {...}}, the words in which a model utters it."""
    found = calls if isinstance(calls, list) else [calls]
    called = [call.get("function") if isinstance(call, dict) else None for call in found]
    lines = []
    for function in called:
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise RowError(f"{where} has a tool call without the name of a function")
        given = function.get("arguments")
        with suppress(ValueError, RecursionError):  # the API writes arguments as JSON in a text
            given = json.loads(given) if isinstance(given, str) else given
        call = {"name": function["name"], "arguments": given or {}}
        lines.append(json.dumps(call, ensure_ascii=False))
    return lines


def _role(value: Any, where: str) -> RoleName:
    role = ROLES.get(value.lower()) if isinstance(value, str) else None
    if role is None:
        raise RowError(f"{where} has the unknown role {str(value)[:40]!r}")
    return role


def _weight(value: FileRow, where: str) -> Literal[0, 1]:
    """The weight of an answer by the rules of OpenAI's fine-tuning, 1 where none is given."""
    weight = value.get("weight")
    if isinstance(weight, bool) or weight not in (None, 0, 1):
        raise RowError(f"{where} has the weight {str(weight)[:20]!r}; it is 0 or 1")
    return 0 if weight == 0 else 1


def _content(value: FileRow, keys: Keys, where: str) -> str:
    content = written(value.get(keys.content))
    if isinstance(content, list):
        return "".join(_part(part, n, where) for n, part in enumerate(content, 1))
    if content is None:
        raise RowError(f"{where} has no {keys.content!r}")
    if not isinstance(content, str):
        raise RowError(f"{where} holds {kind_of(content)}, not text")
    return content


def _part(part: Any, number: int, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, dict) else kind_of(part)
    if not isinstance(part, dict) or kind not in TEXT_PARTS:
        raise RowError(
            f"{where} has part {number} of type {str(kind)[:40]!r}; only text can be learned"
        )
    content = part.get("text", part.get("value"))
    if not isinstance(content, str):
        raise RowError(
            f"{where} has part {number} of type {str(kind)[:40]!r} whose text is {kind_of(content)}"
        )
    return content
