"""An export as files that other programs read, and the manifest that goes with them."""

from collections.abc import Callable
from typing import NamedTuple, NotRequired, TypedDict

from engine.core.actor import Actor
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Message, Preference, Unpaired
from engine.services.data import datasets
from engine.services.preferences import build
from engine.store.json_columns import to_json
from engine.workspace import Workspace

ROWS: dict[str, build.Rows] = {
    "trl": "pairs",
    "openai": "pairs",
    "kto": "ratings",
    "sft": "accepted",
}


class ExportFiles(NamedTuple):
    """JSON lines, and the manifest without the votes and rounds by their ids."""

    rows: bytes
    manifest: bytes


def files(ws: Workspace, actor: Actor, export_id: str, fmt: str) -> ExportFiles:
    """The export in a format: trl and openai for pairs, kto for ratings, sft for accepted answers.

    Its rows come in the order of the dataset version; those held out are among them. UserError
    for an unknown format, and for one that holds other rows.
    """
    export = build.get(ws, actor, export_id)
    if fmt not in ROWS:
        raise UserError(f"There is no format {fmt!r}.", f"Known: {', '.join(ROWS)}.")
    if ROWS[fmt] != export.rows:
        fitting = " or ".join(name for name, rows in ROWS.items() if rows == export.rows)
        raise UserError(f"These rows do not fit the format {fmt}.", f"Choose {fitting}.")
    rows = datasets.each_row(ws, datasets.get(ws, actor, export.dataset_id))
    lines = b"".join(f"{to_json(WRITERS[fmt](row.example))}\n".encode() for row in rows)
    about = build.about(ws, actor, export_id)
    page = {"format": fmt, **{name: value for name, value in about.items() if name != "votes"}}
    return ExportFiles(lines, (to_json(page) + "\n").encode())


class Turn(TypedDict):
    """A turn as chat formats have it."""

    role: str
    content: str


class TrlPair(TypedDict):
    """TRL's preference format with an explicit prompt, conversational.

    `reference`, an answer that a rater improved, is what its TPO learns beside the pair.
    """

    prompt: list[Turn]
    chosen: list[Turn]
    rejected: list[Turn]
    reference: NotRequired[list[Turn]]


class OpenAIInput(TypedDict):
    """The prompt of a pair in OpenAI's format."""

    messages: list[Turn]
    tools: list[str]
    parallel_tool_calls: bool


class OpenAIPair(TypedDict):
    """OpenAI's format for preference fine-tuning."""

    input: OpenAIInput
    preferred_output: list[Turn]
    non_preferred_output: list[Turn]


class KtoRow(TypedDict):
    """TRL's unpaired preference format, conversational."""

    prompt: list[Turn]
    completion: list[Turn]
    label: bool


class ChatRow(TypedDict, total=False):
    """A conversation that ends with the answer to learn; `references` where there are several."""

    messages: list[Turn]
    references: list[str]


def _turns(prompt: tuple[Message, ...]) -> list[Turn]:
    return [{"role": turn.role, "content": turn.content} for turn in prompt]


def _answer(text: str) -> list[Turn]:
    return [{"role": "assistant", "content": text}]


def _trl(example: Example) -> TrlPair:
    if not isinstance(example, Preference):
        raise TypeError(example.kind)
    chosen, rejected = _answer(example.chosen), _answer(example.rejected)
    row: TrlPair = {"prompt": _turns(example.prompt), "chosen": chosen, "rejected": rejected}
    return row | {"reference": _answer(example.improved)} if example.improved else row


def _openai(example: Example) -> OpenAIPair:
    if not isinstance(example, Preference):
        raise TypeError(example.kind)
    return {
        "input": {"messages": _turns(example.prompt), "tools": [], "parallel_tool_calls": True},
        "preferred_output": _answer(example.chosen),
        "non_preferred_output": _answer(example.rejected),
    }


def _kto(example: Example) -> KtoRow:
    if not isinstance(example, Unpaired):
        raise TypeError(example.kind)
    completion = _answer(example.completion)
    return {"prompt": _turns(example.prompt), "completion": completion, "label": example.label}


def _sft(example: Example) -> ChatRow:
    if not isinstance(example, Chat):
        raise TypeError(example.kind)
    row: ChatRow = {"messages": _turns(example.messages)}
    return row | {"references": list(example.references)} if example.references else row


WRITERS: dict[str, Callable[[Example], TrlPair | OpenAIPair | KtoRow | ChatRow]] = {
    "trl": _trl,
    "openai": _openai,
    "kto": _kto,
    "sft": _sft,
}
