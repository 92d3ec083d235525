"""SQuAD: articles with paragraphs, and questions about each."""

from typing import Any

from engine.core.errors import RowError
from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.layouts import question_answer
from engine.formats.turns import kind_of, share

TITLE = "SQuAD"
KIND: Kind = "sft"
SUMMARY = "data: articles of {paragraphs: [{context, qas: [{question, answers}]}]}"
COLUMNS = frozenset({"paragraphs", "title", "question", "answers", "context", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows that are articles with paragraphs."""
    return share(rows, _is_article)


def unfold(rows: list[NumberedRow]) -> list[NumberedRow]:
    """One row a question, numbered through the file; an article is a group, a paragraph if alone.

    Where every article asks one question they keep their numbers. An article that cannot be
    opened stays as it is, so that `read` says why.
    """
    opened: list[FileRow] = []
    for number, article in rows:
        group = article.get("group") or (f"article {number}" if len(rows) > 1 else None)
        opened += _questions(article, group) or [article]
    if len(opened) == len(rows):
        return [(number, asked) for (number, _), asked in zip(rows, opened, strict=True)]
    return list(enumerate(opened, 1))


def read(row: FileRow, number: int) -> Chat:
    """A question about a paragraph, with its answers."""
    if "question" not in row:
        if not _is_article(row):
            raise RowError(f"'paragraphs' is {kind_of(row.get('paragraphs'))}, not a list of texts")
        opened = _questions(row, row.get("group"))
        if not opened:
            raise RowError("'paragraphs' holds no question")
        row = opened[0]
    return question_answer.read(row, number)


def _questions(article: FileRow, group: Any) -> list[FileRow]:
    return [
        {
            "question": asked.get("question"),
            "context": paragraph.get("context"),
            "answers": _texts(asked.get("answers")),
            "group": group,
        }
        for paragraph in _objects(article.get("paragraphs"))
        for asked in _objects(paragraph.get("qas"))
    ]


def _texts(given: Any) -> Any:
    """The texts of [{text, answer_start}]; anything else as it is."""
    if isinstance(given, list) and all(isinstance(one, dict) for one in given):
        return [one.get("text") for one in given]
    return given


def _objects(value: Any) -> list[FileRow]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_article(row: FileRow) -> bool:
    return bool(_objects(row.get("paragraphs")))
