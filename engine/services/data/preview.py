"""What an upload holds, and rows as a model sees them, before anything is kept."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.actor import Actor, Role
from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import HELD_OUT_SHARE
from engine.core.errors import NotFound, UserError
from engine.core.examples import (
    Chat,
    Example,
    Kind,
    Message,
    Preference,
    Prompt,
    Text,
    Unpaired,
    prompt_of,
)
from engine.core.finding import Finding
from engine.models.chat_template import Piece as Piece
from engine.models.chat_template import Template
from engine.models.template_render import TemplateRefused
from engine.services import access
from engine.services.data import staging
from engine.services.data.prepared_rows import Reading, Upload
from engine.services.models.registry import files as model_files
from engine.store.connect import reading
from engine.workspace import Workspace


class FilePreview(NamedTuple):
    """What an upload holds; `refusal` says why it cannot be kept as asked.

    Where no layout fits, `layout` is empty, `mapping` is the guess to confirm, None when there is
    none, and everything else is what the guess would give.
    """

    layout: str
    kind: Kind
    rows: int
    train_rows: int
    held_out_rows: int
    findings: Sequence[Finding]
    examples: Sequence[Example]  # the first few
    named: Sequence[Example]  # those that the findings name first
    refusal: str = ""
    columns: tuple[str, ...] = ()  # of the file, in its order
    mapping: ColumnMapping | None = None  # given or guessed
    own_split: bool = False  # the sides are those of the file's own train and test files
    sheets: tuple[str, ...] = ()  # of a workbook
    sheet: str = ""  # the one that was read
    confirmed: bool = True  # False: a person has to say first which column is what


class PreviewRow(NamedTuple):
    """One row as the model sees it; of a pair, `rejected` is the same with the worse answer.

    A row that the chat template does not take has no pieces, and `refusal` says why.
    """

    pieces: list[Piece]
    tokens: int
    truncated: bool
    rejected: list[Piece] | None = None
    refusal: str = ""


def preview_upload(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, held_out: float = HELD_OUT_SHARE
) -> FilePreview:
    """What adding the upload would give; nothing is kept.

    NotFound when the upload has gone, UserError when its rows cannot be read that way.
    """
    upload = staging.describe(ws, actor, upload_id)
    chosen = how.mapping is not None or bool(how.layout or upload.layout)
    if chosen or upload.rows == 0:
        found = _preview(ws, actor, upload_id, how, held_out)
        return found._replace(
            columns=upload.columns, mapping=how.mapping, sheets=upload.sheets, sheet=upload.sheet
        )
    if upload.mixed and upload.refusal:
        raise UserError(*upload.refusal)
    return _guessed(ws, actor, upload_id, upload, how, held_out)


def _guessed(
    ws: Workspace, actor: Actor, upload_id: str, upload: Upload, how: Reading, held_out: float
) -> FilePreview:
    """The same for columns that nobody has named yet, read through the guess."""
    preview = FilePreview("", "sft", upload.rows, 0, 0, [], [], [])
    if upload.guess:
        guess = how.model_copy(update={"mapping": upload.guess})
        try:
            preview = _preview(ws, actor, upload_id, guess, held_out)
        except NotFound:
            raise
        except UserError:  # a guess that reads too few rows is no help to show
            pass
    return preview._replace(
        layout="",
        columns=upload.columns,
        sheets=upload.sheets,
        sheet=upload.sheet,
        mapping=upload.guess,
        confirmed=False,
        refusal=" ".join(upload.refusal or ()),
    )


def _preview(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, held_out: float
) -> FilePreview:
    checked = staging.check(ws, actor, upload_id, how)
    refusal, held = "", 0
    try:
        held = staging.splits(ws, actor, upload_id, how, held_out).count("held_out")
    except NotFound:
        raise
    except UserError as error:
        refusal = str(error)
    return FilePreview(
        layout=checked.layout,
        kind=checked.kind,
        rows=checked.rows,
        train_rows=checked.rows - held,
        held_out_rows=held,
        findings=checked.findings,
        examples=checked.first,
        named=checked.named,
        refusal=refusal,
        own_split=how.own_split and bool(checked.own_sides),
    )


def preview_rows(
    ws: Workspace,
    actor: Actor,
    examples: Sequence[Example],
    model_id: str,
    max_length: int = 512,
) -> list[PreviewRow]:
    """Examples of any kind as `model_id` sees them, trained tokens marked."""
    actor.require(Role.TRAINER)
    template = _template(ws, actor, model_id)
    return [_row(template, example, max_length) for example in examples]


def default_system(ws: Workspace, actor: Actor, model_id: str) -> str:
    """The system message that the model's chat template adds to rows without one, often empty."""
    actor.require(Role.TRAINER)
    return _template(ws, actor, model_id).default_system()


def lack_system(examples: Sequence[Example]) -> bool:
    """Whether any of the rows is a conversation without a system message."""
    return any(
        not isinstance(example, Text) and all(turn.role != "system" for turn in prompt_of(example))
        for example in examples
    )


def _template(ws: Workspace, actor: Actor, model_id: str) -> Template:
    with reading(ws.db) as conn:
        model = access.model(conn, actor, model_id)
    return Template.load(model_files(ws, model).base, isolated=True)


def _row(template: Template, example: Example, max_length: int) -> PreviewRow:
    try:
        return _rendered(template, example, max_length)
    except TemplateRefused as error:
        return PreviewRow([], 0, False, refusal=error.problem)


def _rendered(template: Template, example: Example, max_length: int) -> PreviewRow:
    if isinstance(example, Prompt):
        ids = template.prompt_ids(example.prompt)
        text = template.decode(ids[:max_length], skip_special_tokens=False)
        return PreviewRow([Piece(text, False)], len(ids), len(ids) > max_length)
    if isinstance(example, Preference):
        pair = template.encode_pair(example, max_length)
        chosen, rejected = template.pair_pieces(example, max_length)
        longest = max(len(pair.chosen_ids), len(pair.rejected_ids))
        return PreviewRow(chosen, len(pair.prompt_ids) + longest, pair.truncated, rejected)
    if isinstance(example, Unpaired):
        answer = Message(role="assistant", content=example.completion)
        example = Chat(messages=(*example.prompt, answer))
    encoded = template.encode(example, max_length)
    pieces = template.pieces(example, max_length)
    return PreviewRow(pieces, len(encoded.input_ids), encoded.truncated)
