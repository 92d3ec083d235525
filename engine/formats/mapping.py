"""Rows of a file -> examples, through a mapping of its columns: where no layout fits."""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.core.column_mapping import ColumnMapping
from engine.core.errors import RowError
from engine.core.examples import Example, Preference, Prompt, Text, Unpaired
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.prompt_and_answer import answers, label_of, last_answer, prompt_turns, several
from engine.formats.turns import assistant, chat, kind_of, place, references, system, user, written

Rows = Sequence[FileRow]

LIKED = frozenset(
    {"good", "yes", "positive", "up", "like", "liked", "ja", "gut", "oui", "si", "👍"}
)
DISLIKED = frozenset(
    {"bad", "no", "negative", "down", "dislike", "disliked", "nein", "schlecht", "non"}
)


def examples(
    rows: Sequence[NumberedRow], mapping: ColumnMapping, refused: list[BrokenRow]
) -> Iterator[Example]:
    """The rows read through the mapping; those that cannot be are added to `refused`."""
    for number, row in rows:
        try:
            yield _example(row, number, mapping)
        except RowError as error:
            refused.append(BrokenRow(number, _spoken(str(error), mapping)))


def _example(row: FileRow, number: int, mapping: ColumnMapping) -> Example:
    """One row as an example; a context stands before its prompt, after a blank line between."""
    given: FileRow = {role: written(row.get(column)) for role, column in mapping.columns.items()}
    placed = place({"group": row.get("group"), **given}, number)
    if mapping.kind == "text":
        return Text(text=_text_of(given, "text"), **placed)
    if mapping.kind == "preference":
        return _pair(given, "prompt" in mapping.columns, placed)
    prompt = _prompt(given)
    if mapping.kind == "prompts":
        return Prompt(prompt=prompt, references=references(given), **placed)
    if mapping.kind == "unpaired":
        answer, label = _text_of(given, "answer"), _label(given.get("label"))
        return Unpaired(prompt=prompt, completion=answer, label=label, **placed)
    if _is_turns(given.get("answer")):
        return chat((*prompt, assistant(_text_of(given, "answer"))), **placed)
    accepted = answers(given, "answer")
    others = references(given) or several(accepted)
    return chat((*prompt, assistant(accepted[0])), references=others, **placed)


def _pair(given: FileRow, asked: bool, placed: FileRow) -> Preference:
    """A pair; without a column for the prompt both answers are whole chats that ask the same."""
    if asked:
        chosen, rejected = _text_of(given, "chosen"), _text_of(given, "rejected")
        return Preference(prompt=_prompt(given), chosen=chosen, rejected=rejected, **placed)
    before, chosen = last_answer(given, "chosen")
    before_rejected, rejected = last_answer(given, "rejected")
    if not before:
        raise RowError("there is no prompt: 'chosen' is no whole chat, and no column is the prompt")
    if before_rejected and before_rejected != before:
        raise RowError("'chosen' and 'rejected' do not answer the same conversation")
    prompt = (*system(given), *before)
    return Preference(prompt=prompt, chosen=chosen, rejected=rejected, **placed)


def _prompt(given: FileRow) -> tuple[Any, ...]:
    asked = given.get("prompt")
    if _is_turns(asked):
        turns = prompt_turns(given)
    else:
        turns = (
            user("\n\n".join(filter(None, [_joined(given, "context"), _text_of(given, "prompt")]))),
        )
    return (*system(given), *turns)


def _text_of(given: FileRow, role: str) -> str:
    if _is_turns(given.get(role)):
        return last_answer(given, role)[1]
    value = _joined(given, role)
    if value is None:
        raise RowError(f"'{role}' is missing")
    return value


def _joined(given: FileRow, role: str) -> str | None:
    """The text of a role; sentences in a list become one text."""
    value = given.get(role)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return " ".join(item.strip() for item in value)
    if value is None or isinstance(value, str):
        return value
    raise RowError(f"'{role}' is {kind_of(value)}, not text")


def _label(value: Any) -> bool:
    known = label_of(value)
    word = str(value).strip().casefold()
    if known is None and word not in LIKED | DISLIKED:
        raise RowError(f"'label' is {word[:40]!r}, neither good nor bad")
    return word in LIKED if known is None else known


def _is_turns(value: Any) -> bool:
    found = value if isinstance(value, list) else [value]
    return bool(found) and all(isinstance(item, dict) and len(item) > 1 for item in found)


def _spoken(reason: str, mapping: ColumnMapping) -> str:
    """The reason with the file's own name of the column."""
    for role, column in mapping.columns.items():
        reason = reason.replace(f"'{role}'", repr(column[:60]))
    return reason
