"""What OpenAI's fine-tuning takes: one JSON object a line, chats or preferences.

The rules are those of OpenAI's fine-tuning guide and of its published format check.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import JsonValue

from engine.core.json_object import JsonObject

FEWEST = 10
SHOWN = 20  # problems that are listed
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MESSAGE = {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call",
           "refusal", "audio"}  # fmt: skip
CHAT = {"messages", "tools", "parallel_tool_calls", "functions"}
INPUT = {"messages", "tools", "parallel_tool_calls"}
PREFERENCE = {"input", "preferred_output", "non_preferred_output"}


class OpenAIProblem(NamedTuple):
    """A line that would be refused, counted from 1, and why; 0 is the file."""

    line: int
    problem: str


class OpenAICheck(NamedTuple):
    """`problems` would be refused; `warnings` are of the whole file."""

    examples: int
    problems: tuple[OpenAIProblem, ...]
    warnings: tuple[str, ...]


def check(lines: Iterable[bytes]) -> OpenAICheck:
    """The first problems of a file, its examples counted; empty lines are none."""
    found: list[OpenAIProblem] = []
    kinds: set[str] = set()
    examples = wrong = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        examples += 1
        kind, problems = of_line(line)
        kinds.add(kind)
        wrong += bool(problems)
        found += [OpenAIProblem(number, one) for one in problems[: SHOWN - len(found)]]
    warnings = []
    if len(kinds) > 1:
        found.append(OpenAIProblem(0, "the file mixes chats and preferences"))
    if wrong > len({one.line for one in found}):
        warnings.append(f"{wrong} lines have problems; the first are listed.")
    if examples < FEWEST:
        warnings.append(f"OpenAI takes files of at least {FEWEST} examples; this has {examples}.")
    return OpenAICheck(examples, tuple(found), tuple(warnings))


def of_line(line: bytes) -> tuple[str, list[str]]:
    """The kind of an example, chat or preference, and why it would be refused."""
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        return "chat", ["it is not JSON in UTF-8"]
    if not isinstance(row, dict):
        return "chat", ["it is not an object"]
    if PREFERENCE & row.keys():
        return "preference", _preference(row)
    return "chat", [*_unknown(row, CHAT, ""), *_chat(row.get("messages"))]


def _chat(messages: JsonValue) -> list[str]:
    found = _messages(messages, "messages")
    if found or not isinstance(messages, list):
        return found
    turns = [one for one in messages if isinstance(one, dict)]
    if turns[-1].get("role") != "assistant":
        return ["the last message is not from the assistant"]
    if all(one.get("weight") == 0 for one in turns if one.get("role") == "assistant"):
        return ["every message of the assistant has the weight 0"]
    return []


def _preference(row: JsonObject) -> list[str]:
    found = _unknown(row, PREFERENCE, "")
    given = row.get("input")
    if not isinstance(given, dict):
        return [*found, "input is not an object with messages"]
    found += [
        *_unknown(given, INPUT, "input."),
        *_messages(given.get("messages"), "input.messages"),
    ]
    for name in ("preferred_output", "non_preferred_output"):
        output = row.get(name)
        wrong = _messages(output, name)
        found += wrong
        if wrong or not isinstance(output, list):
            continue
        if [one.get("role") for one in output if isinstance(one, dict)] != ["assistant"]:
            found.append(f"{name} is not one message of the assistant")
    return found


def _messages(messages: JsonValue, where: str) -> list[str]:
    if not isinstance(messages, list) or not messages:
        return [f"{where} is not a list of messages"]
    return [
        problem
        for number, one in enumerate(messages, 1)
        for problem in _message(one, f"{where}, message {number}")
    ]


def _message(message: JsonValue, where: str) -> list[str]:
    if not isinstance(message, dict):
        return [f"{where} is not an object"]
    found = _unknown(message, MESSAGE, f"{where}: ")
    role = message.get("role")
    if role not in ROLES:
        found.append(f"{where} has the role {str(role)[:40]!r}")
    if "weight" in message and (role != "assistant" or not _is_weight(message["weight"])):
        found.append(f"{where}: weight is 0 or 1, and of the assistant alone")
    if role == "tool" and not message.get("tool_call_id"):
        found.append(f"{where} names no tool_call_id")
    return found + _content(message, where)


def _content(message: JsonObject, where: str) -> list[str]:
    content = message.get("content")
    if isinstance(content, str) or (isinstance(content, list) and content):
        return []
    calls = message.get("tool_calls") or message.get("function_call")
    return [] if content is None and calls else [f"{where} has no content"]


def _is_weight(value: JsonValue) -> bool:
    return not isinstance(value, bool) and value in (0, 1)


def _unknown(row: JsonObject, known: set[str], where: str) -> list[str]:
    names = sorted(row.keys() - known)
    return [f"{where}unknown key {name[:40]!r}" for name in names]
