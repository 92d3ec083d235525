"""Prompts with two or more answers that exist already, to be rated without generating any."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.core.column_mapping import spelling
from engine.core.errors import RowError, UserError
from engine.core.examples import Message
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats import isolated
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.votes import cells, columns

LISTS = ("answers", "responses", "completions", "outputs", "candidates", "generations", "texts")
BEGINNINGS = ("answer", "response", "completion", "output", "candidate", "generation", "text")
LETTERS = "abcdefgh"
PAIRS = (("chosen", "rejected"), ("left", "right"))
PROMPTS = columns.NAMES["prompt"]
MODELS = columns.OF_ONE["model"]
TEXTS = ("text", "content", "answer", "response", "completion", "output", "generation")
MOST_ANSWERS = 20  # to one prompt
KNOWN = frozenset(
    {*LISTS, *PROMPTS, *MODELS, *(name for pair in PAIRS for name in pair)}
    | {f"{start}_{n}" for start in BEGINNINGS for n in (*LETTERS, *range(1, MOST_ANSWERS + 1))}
    | {*BEGINNINGS}
)


class GivenAnswers(NamedTuple):
    """A prompt and its answers, each with the name of its model, often none."""

    row: int
    prompt: tuple[Message, ...]
    answers: tuple[tuple[str, str], ...]  # model, text


class AnswerFile(NamedTuple):
    """What a file of answers holds; `prompts` in the order of the file."""

    prompts: list[GivenAnswers]
    broken: list[BrokenRow]
    rows: int
    columns: tuple[str, ...]


def read_answers(
    path: Path, name: str, prompt: str | None = None, answers: Sequence[str] = ()
) -> AnswerFile:
    """The prompts with their answers; rows of one answer each are put together by their prompt.

    `prompt` and `answers` name the columns where nothing else does: a column of answers is then
    called like its model. UserError where no prompt has two answers.
    """
    found = isolated.rows_of(path, name, KNOWN)
    names = tuple(dict.fromkeys(key for _, row in found.rows for key in row))
    asked = spelling(prompt, names) if prompt else _prompt_of(names)
    holders = tuple(spelling(each, names) for each in answers)
    given: list[GivenAnswers] = []
    broken = list(found.broken)
    for numbered in found.rows:
        try:
            given.append(_row(numbered, asked, holders))
        except RowError as error:
            broken.append(BrokenRow(numbered[0], str(error)))
    prompts = _together(given)
    if not any(len(each.answers) > 1 for each in prompts):
        why = f" Row {broken[0].row} {broken[0].reason[:160]}." if broken else ""
        raise UserError(
            f"{name} holds no prompt with two answers.{why}",
            "Give a column prompt, and answer_1 and answer_2, a list of answers, or one answer a "
            "row with its model.",
        )
    return AnswerFile(prompts, sorted(broken), len(found.rows) + len(found.broken), names)


def _prompt_of(names: Sequence[str]) -> str | None:
    plain = {columns.spelled(name): name for name in names}
    return next((plain[name] for name in PROMPTS if name in plain), None)


def _row(numbered: NumberedRow, asked: str | None, holders: Sequence[str]) -> GivenAnswers:
    number, row = numbered
    plain = {columns.spelled(name): name for name in row}
    before, answers = _answers(row, plain, asked, holders)
    prompt = cells.prompt_of(row, asked) or before
    if not prompt:
        raise RowError("has no prompt")
    if not answers:
        raise RowError("has no answer")
    if len(answers) > MOST_ANSWERS:
        raise RowError(f"has {len(answers)} answers; the limit is {MOST_ANSWERS}")
    return GivenAnswers(number, prompt, tuple(answers))


Found = tuple[tuple[Message, ...], list[tuple[str, str]]]  # turns before the answers, and those


def _answers(
    row: FileRow, plain: dict[str, str], asked: str | None, holders: Sequence[str]
) -> Found:
    if holders:
        return _columns(row, holders, [cells.name_of(each) for each in holders])
    listed = next((plain[name] for name in LISTS if name in plain), None)
    if listed is not None and isinstance(row[listed], list):
        return _listed(row[listed], row.get(plain.get("models", "")))
    for pair in PAIRS:
        if set(pair) <= plain.keys():
            return _columns(row, [plain[name] for name in pair], _models(row, plain, pair))
    for start in BEGINNINGS:
        marks = [m for m in (*LETTERS, *map(str, range(1, MOST_ANSWERS + 1)))
                 if f"{start}_{m}" in plain or f"{start}{m}" in plain]  # fmt: skip
        if len(marks) > 1:
            names = [plain.get(f"{start}_{m}") or plain[f"{start}{m}"] for m in marks]
            return _columns(row, names, _models(row, plain, marks))
    alone = next((plain[n] for n in BEGINNINGS if n in plain and plain[n] != asked), None)
    model = next((plain[name] for name in MODELS if name in plain), None)
    return _columns(row, [alone] if alone else [], [cells.name_of(row.get(model or ""))])


def _models(row: FileRow, plain: dict[str, str], marks: Sequence[str]) -> list[str]:
    """The names of the models beside columns of answers, by the same marks."""
    return [
        cells.name_of(row.get(plain.get(f"model_{m}") or plain.get(f"{m}_model") or ""))
        for m in marks
    ]


def _columns(row: FileRow, names: Sequence[str], models: Sequence[str]) -> Found:
    found = []
    before: tuple[Message, ...] = ()
    for name, model in zip(names, models, strict=False):
        turns, text = cells.answer_of(row, name)
        before = before or turns
        if text is not None and text.strip():
            found.append((model, text))
    return before, found


def _listed(listed: list[object], models: object) -> Found:
    names = models if isinstance(models, list) else []
    found = []
    for n, each in enumerate(listed):
        model = cells.name_of(names[n]) if n < len(names) else ""
        if isinstance(each, dict):
            model = cells.name_of(each.get("model") or each.get("model_name")) or model
            each = next((each[name] for name in TEXTS if isinstance(each.get(name), str)), None)
        if not isinstance(each, str):
            raise RowError("has a list of answers with something else than texts in it")
        if each.strip():
            found.append((model, each))
    return (), found


def _together(given: Sequence[GivenAnswers]) -> list[GivenAnswers]:
    """One entry for each prompt, its answers from all rows."""
    by_prompt: dict[tuple[Message, ...], GivenAnswers] = {}
    for each in given:
        known = by_prompt.get(each.prompt)
        if known:
            further = [answer for answer in each.answers if answer not in known.answers]
            each = known._replace(answers=(*known.answers, *further))
        by_prompt[each.prompt] = each
    return list(by_prompt.values())
