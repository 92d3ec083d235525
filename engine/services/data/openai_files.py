"""A dataset version as a file of OpenAI's fine-tuning, and a file judged by OpenAI's rules."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Split
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Message, Preference
from engine.core.json_object import JsonObject
from engine.files import sha256_of_file, write_lines
from engine.formats import openai_file
from engine.formats.openai_file import OpenAICheck
from engine.services.data import datasets
from engine.workspace import Workspace

TOOL = "rows with a turn of a tool: its call has no id here"
LONGEST_FILE = 512 * 2**20


class OpenAIExport(BaseModel):
    """The rows written, those left out by reason, and what OpenAI would object to."""

    model_config = ConfigDict(frozen=True)

    path: str
    rows: int
    sha256: str
    left_out: dict[str, int]
    warnings: tuple[str, ...]


def write(
    ws: Workspace, actor: Actor, dataset_id: str, out: Path, split: Split | None = None
) -> OpenAIExport:
    """Write a version of chats or pairs to the new file `out`, of one side where named."""
    actor.require(Role.TRAINER)
    dataset = datasets.get(ws, actor, dataset_id)
    if dataset.kind not in ("sft", "preference"):
        raise UserError(
            f"{dataset.label} holds {dataset.kind} rows; OpenAI learns from chats and pairs.",
            "Choose another dataset.",
        )
    if out.exists():
        raise UserError(f"{out} is there already.", "Name a new file.")
    left_out: Counter[str] = Counter()
    write_lines(out, _lines(ws, dataset, split, left_out))
    with out.open("rb") as lines:
        report = openai_file.check(lines)
    if report.problems or not report.examples:
        out.unlink()
        first = report.problems[0].problem if report.problems else "no row is left"
        raise UserError(f"OpenAI would refuse {dataset.label}: {first}.", "Correct these rows.")
    return OpenAIExport(
        path=str(out),
        rows=report.examples,
        sha256=sha256_of_file(out),
        left_out=dict(left_out),
        warnings=report.warnings,
    )


def check(path: Path) -> OpenAICheck:
    """What OpenAI would refuse in a file; UserError where it cannot be read."""
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise UserError(f"{path.name} is larger than 512 MB.", "OpenAI takes smaller files.")
        with path.open("rb") as lines:
            return openai_file.check(lines)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None


def _lines(
    ws: Workspace, dataset: Dataset, split: Split | None, left_out: Counter[str]
) -> Iterator[bytes]:
    for row in datasets.each_row(ws, dataset, split):
        if any(turn.role == "tool" for turn in _prompt(row.example)):
            left_out[TOOL] += 1
        else:
            yield (json.dumps(_row(row.example), ensure_ascii=False) + "\n").encode()


def _prompt(example: Example) -> tuple[Message, ...]:
    return example.prompt if isinstance(example, Chat | Preference) else ()


def _row(example: Example) -> JsonObject:
    if isinstance(example, Preference):
        return {
            "input": {
                "messages": _turns(example.prompt), "tools": [], "parallel_tool_calls": True,
            },
            "preferred_output": _answer(example.chosen),
            "non_preferred_output": _answer(example.rejected),
        }  # fmt: skip
    if not isinstance(example, Chat):
        raise TypeError(example.kind)
    return {"messages": [*_turns(example.prompt), *_answer(example.answer)]}


def _turns(messages: tuple[Message, ...]) -> list[JsonValue]:
    return [_turn(turn) for turn in messages]


def _turn(turn: Message) -> JsonValue:
    given: JsonObject = {"role": turn.role, "content": turn.content}
    return {**given, "weight": 0} if turn.is_context else given


def _answer(text: str) -> list[JsonValue]:
    return [{"role": "assistant", "content": text}]
