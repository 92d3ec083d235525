"""Look before you keep: what a file holds, and rows as a model will see them."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from engine.checks.run import findings
from engine.core.actor import Actor, Role
from engine.core.errors import UserError
from engine.core.examples import Chat, Example, Kind, Message, Preference, Prompt, Unpaired
from engine.core.finding import Finding
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.guess import guess
from engine.formats.mapping import Mapping
from engine.formats.read import ParsedFile, columns_of, layout_of, load, understand
from engine.formats.split import split
from engine.models.chat import Piece, Template
from engine.services import access
from engine.services.data import datasets
from engine.services.models.registry import files as model_files
from engine.store.connect import reading
from engine.workspace import Workspace


class Checked(NamedTuple):
    """What a file holds; `refusal` says why it cannot be kept as asked.

    Where no layout fits, `layout` is empty, `mapping` is the guess to confirm, None when there is
    none, and everything else is what the guess would give.
    """

    layout: str
    kind: Kind
    rows: int
    train_rows: int
    held_out_rows: int
    findings: list[Finding]
    examples: list[Example]  # the first few
    refusal: str = ""
    columns: tuple[str, ...] = ()  # of the file, in its order
    mapping: Mapping | None = None  # given or guessed
    confirmed: bool = True  # False: a person has to say first which column is what


class Seen(NamedTuple):
    """One row as the model will see it; of a pair, `rejected` is the same with the worse answer."""

    pieces: list[Piece]
    tokens: int
    truncated: bool
    rejected: list[Piece] | None = None


def check(
    actor: Actor,
    path: Path,
    name: str,
    *,
    held_out: float = 0.15,
    seed: int = 0,
    layout: str | None = None,
    shown: int = 5,
    mapping: Mapping | None = None,
    group: str | None = None,
) -> Checked:
    """What adding the file would give; nothing is stored. UserError when it cannot be read."""
    actor.require(Role.TRAINER)
    datasets.refuse_large(path, name)
    found = load(path, name)
    unknown = mapping is None and not layout and bool(found.rows) and not layout_of(found)
    if not unknown:
        parsed = understand(found, layout, mapping, group)
        checked = _checked(parsed, held_out, seed, shown)
        return checked._replace(columns=columns_of(found), mapping=mapping)
    return _guessed(found, held_out, seed, shown, group)


def _guessed(
    found: LoadedFile, held_out: float, seed: int, shown: int, group: str | None
) -> Checked:
    """The same for columns that nobody has named yet, read through the guess."""
    likely = guess([row for _, row in found.rows])
    checked = Checked("", "sft", len(found.rows), 0, 0, [], [])
    refusal = ""
    try:
        understand(found)
    except UserError as error:
        refusal = str(error)
    if likely:
        with suppress(UserError):  # a guess that reads too few rows is no help to show
            checked = _checked(understand(found, None, likely, group), held_out, seed, shown)
    columns = columns_of(found)
    return checked._replace(
        layout="", columns=columns, mapping=likely, confirmed=False, refusal=refusal
    )


def _checked(parsed: ParsedFile, held_out: float, seed: int, shown: int) -> Checked:
    refusal = ""
    try:
        splits = split(parsed.examples, held_out, seed)
    except UserError as error:
        refusal, splits = str(error), ["train" for _ in parsed.examples]
    return Checked(
        layout=parsed.layout,
        kind=parsed.kind,
        rows=len(parsed.examples),
        train_rows=splits.count("train"),
        held_out_rows=splits.count("held_out"),
        findings=findings(parsed),
        examples=parsed.examples[:shown],
        refusal=refusal,
    )


def see(
    ws: Workspace,
    actor: Actor,
    examples: Sequence[Example],
    model_id: str,
    max_length: int = 512,
) -> list[Seen]:
    """Examples of any kind as `model_id` will see them, trained tokens marked."""
    actor.require(Role.TRAINER)
    template = _template(ws, actor, model_id)
    return [_seen(template, example, max_length) for example in examples]


def _template(ws: Workspace, actor: Actor, model_id: str) -> Template:
    with reading(ws.db) as conn:
        model = access.model(conn, actor, model_id)
    return Template.load(model_files(ws, model).base)


def _seen(template: Template, example: Example, max_length: int) -> Seen:
    if isinstance(example, Prompt):
        ids = template.prompt_ids(example.prompt)
        text = template.decode(ids[:max_length], skip_special_tokens=False)
        return Seen([Piece(text, False)], len(ids), len(ids) > max_length)
    if isinstance(example, Preference):
        pair = template.encode_pair(example, max_length)
        chosen, rejected = template.pair_pieces(example, max_length)
        longest = max(len(pair.chosen_ids), len(pair.rejected_ids))
        return Seen(chosen, len(pair.prompt_ids) + longest, pair.truncated, rejected)
    if isinstance(example, Unpaired):
        answer = Message(role="assistant", content=example.completion)
        example = Chat(messages=(*example.prompt, answer))
    encoded = template.encode(example, max_length)
    pieces = template.pieces(example, max_length)
    return Seen(pieces, len(encoded.input_ids), encoded.truncated)
