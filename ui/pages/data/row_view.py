"""Rows as a model sees them, as HTML: learned text stands out, special tokens step back."""

import re
from collections.abc import Sequence
from html import escape

from engine.core.examples import Example, Preference, Text, Unpaired, answers_of, prompt_of
from engine.services.data.preview import Piece, PreviewRow
from ui.components import markup

# the control tokens of the chat templates in use: ChatML, Llama, Gemma, Mistral, Phi
SPECIAL = re.compile(
    r"<\|[\w ▁-]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|\[/?INST\]"
)
LONG = 4000  # characters of a text while no tokenizer says where a row ends
MOST_GIVEN, GIVEN_START, GIVEN_END = 600, 260, 220  # characters of a prompt
SHORT = 220  # characters of a text where a row is one of many
LEGEND = (
    '<div class="tl-legend"><span><mark class="tl-learned">highlighted</mark> what the model learns'
    ' to write</span><span><span class="tl-given">plain</span> what it is given</span>'
    '<span><span class="tl-token">&lt;|token|&gt;</span> marks of the chat template</span>'
    '<span><span class="tl-nl">↵</span> line break</span></div>'
)
GIVEN_ONLY = (
    '<div class="tl-legend"><span>Prompts have no answer to learn; the model answers them when you '
    'rate or evaluate.</span><span><span class="tl-token">&lt;|token|&gt;</span> marks of the chat '
    'template</span><span><span class="tl-nl">↵</span> line break</span></div>'
)


def rows(preview: Sequence[PreviewRow]) -> str:
    """The legend and one block a row; of a pair the better answer, then the worse one."""
    if not preview:
        return ""
    learned = any(piece.trained for row in preview for piece in row.pieces)
    blocks = "".join(_row(number, row) for number, row in enumerate(preview, 1))
    return f'{LEGEND if learned else GIVEN_ONLY}<div class="tl-rows">{blocks}</div>'


def plain(examples: Sequence[Example]) -> str:
    """Rows without a model: who says what, while no tokenizer is there to show more."""
    blocks = "".join(
        f'<div class="tl-row"><div class="tl-row-head">Row {n}</div>'
        f'<div class="tl-row-text">{_turns(example)}</div></div>'
        for n, example in enumerate(examples, 1)
    )
    return f'<div class="tl-rows">{blocks}</div>'


def line(example: Example) -> str:
    """A row in two lines at most: what is asked, and what is answered; long texts are cut."""
    asked = "" if isinstance(example, Text) else prompt_of(example)[-1].content
    parts = [f'<span class="tl-given">{_short(asked)}</span>'] if asked else []
    parts += [f'<mark class="tl-learned">{_short(text)}</mark>' for text in answers_of(example)]
    return f'<div class="tl-sample">{"".join(f"<div>{each}</div>" for each in parts)}</div>'


def _short(text: str) -> str:
    flat = " ".join(text[: 4 * SHORT].split())
    return escape(flat[:SHORT] + " …" if len(flat) > SHORT else flat) or "<i>(empty)</i>"


def _row(number: int, row: PreviewRow) -> str:
    if row.refusal:
        head = f'<div class="tl-row-head"><b>Row {number}</b></div>'
        return f'<div class="tl-row">{head}{markup.notice(row.refusal, "warn")}</div>'
    size = f"{row.tokens:,} tokens{', the end is cut off' if row.truncated else ''}"
    head = f'<div class="tl-row-head"><b>Row {number}</b><span>{size}</span></div>'
    if row.rejected is None:
        return f'<div class="tl-row">{head}{_text(row.pieces)}</div>'
    return (
        f'<div class="tl-row">{head}<div class="tl-side tl-side-good">Preferred</div>'
        f"{_text(row.pieces)}"
        '<div class="tl-side tl-side-bad">Rejected: it learns to write the other rather than this'
        f"</div>{_text([p for p in row.rejected if p.trained])}</div>"
    )


def _text(pieces: Sequence[Piece]) -> str:
    return f'<div class="tl-row-text">{"".join(map(_folded, pieces))}</div>'


def _piece(piece: Piece) -> str:
    parts = []
    last = 0
    for found in SPECIAL.finditer(piece.text):
        parts.append(_lines(piece.text[last : found.start()]))
        parts.append(f'<span class="tl-token">{escape(found.group())}</span>')
        last = found.end()
    parts.append(_lines(piece.text[last:]))
    tag = 'mark class="tl-learned"' if piece.trained else 'span class="tl-given"'
    return f"<{tag}>{''.join(parts)}</{tag.split()[0]}>"


def _folded(piece: Piece) -> str:
    """What a model is given, its middle folded where it is long: the answer follows soon."""
    if piece.trained or len(piece.text) <= MOST_GIVEN:
        return _piece(piece)
    start, end = piece.text[:GIVEN_START], piece.text[-GIVEN_END:]
    middle = piece.text[GIVEN_START:-GIVEN_END]
    summary = f"{len(middle):,} more characters"
    return (
        _piece(Piece(start, False))
        + f'<details class="tl-fold"><summary>{summary}</summary>{_piece(Piece(middle, False))}'
        + f"</details>{_piece(Piece(end, False))}"
    )


def _lines(text: str) -> str:
    return escape(text).replace("\n", '<span class="tl-nl">↵</span>\n')


def _turns(example: Example) -> str:
    if isinstance(example, Text):
        return f'<mark class="tl-learned">{_lines(example.text[:LONG])}</mark>'
    asked = [(turn.role, turn.content, False) for turn in prompt_of(example)]
    return "".join(
        f'<div><span class="tl-token">{escape(role)}</span> '
        f'<{"mark" if learned else "span"} class="{"tl-learned" if learned else "tl-given"}">'
        f"{_lines(text[:LONG])}</{'mark' if learned else 'span'}></div>"
        for role, text, learned in [*asked, *_answers(example)]
    )


def _answers(example: Example) -> list[tuple[str, str, bool]]:
    if isinstance(example, Preference):
        improved = [("improved", example.improved, True)] if example.improved else []
        both = [("preferred", example.chosen, True), ("rejected", example.rejected, False)]
        return [*improved, *both]
    if isinstance(example, Unpaired):
        return [("liked" if example.label else "disliked", example.completion, example.label)]
    if example.kind == "sft":
        return [("assistant", example.answer, True)]
    return []
