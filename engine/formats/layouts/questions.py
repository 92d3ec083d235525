"""MT-bench and Vicuna bench: questions of one or two turns, asked without an answer."""

from typing import Any

from engine.core.errors import RowError
from engine.core.examples import Kind, Prompt
from engine.core.parsed_file import FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import assistant, kind_of, place, references, share, system, user

TITLE = "Questions in turns"
KIND: Kind = "prompts"
SUMMARY = "turns: a list of questions, reference (may be absent): a list of answers to them"
COLUMNS = frozenset({"turns", "reference", "system", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows whose turns are texts."""
    return share(rows, lambda row: bool(_turns(row)))


def unfold(rows: list[NumberedRow]) -> list[NumberedRow]:
    """The first question of each row, and further ones where the answers before them are given."""
    opened = []
    for number, row in rows:
        known = max(1, min(len(_turns(row)), len(_reference(row)) + 1))
        for asked in range(known):
            shown = {"turns": row["turns"][: asked + 1]} if _turns(row) else {}
            opened.append((number, {**row, **shown, "group": _group(row, number)}))
    return opened


def note(rows: list[FileRow]) -> str:
    """What is left out: questions that follow an answer which the file does not give."""
    left = sum(max(0, len(_turns(row)) - len(_reference(row)) - 1) for row in rows)
    if not left:
        return ""
    return f"Questions after an answer that the file does not give were not read: {left:,}."


def read(row: FileRow, number: int) -> Prompt:
    """The last of the turns as the question, the earlier ones with the answers given before it."""
    asked = _turns(row)
    if not asked:
        raise RowError(f"'turns' is {kind_of(row.get('turns'))}, not a list of questions")
    given = _reference(row)
    if len(asked) > 1 and len(given) < len(asked) - 1:
        asked = asked[:1]
    before = [
        turn
        for question, answer in zip(asked[:-1], given, strict=False)
        for turn in (user(question), assistant(answer))
    ]
    right = tuple(given[len(asked) - 1 : len(asked)])
    prompt = (*system(row), *before, user(asked[-1]))
    return Prompt(prompt=prompt, references=right, **place(row, number))


def _group(row: FileRow, number: int) -> Any:
    return row.get("group") or (f"question {number}" if len(_turns(row)) > 1 else None)


def _turns(row: FileRow) -> list[str]:
    found = row.get("turns")
    if not isinstance(found, list) or not all(isinstance(turn, str) for turn in found):
        return []
    return found


def _reference(row: FileRow) -> tuple[str, ...]:
    found = row.get("reference")
    return references(row, "reference") if isinstance(found, list | str) else ()
