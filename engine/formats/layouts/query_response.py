"""ms-swift: a query and its response, with the exchanges before them."""

from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import answers, has_rejected, history, label_of, several
from engine.formats.turns import assistant, chat, place, references, share, system, text, user

TITLE = "Query and response"
KIND: Kind = "sft"
SUMMARY = "query, response, history: a list of [query, response] (may be absent)"
COLUMNS = frozenset({"query", "response", "history", "system", "references", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a query and a response, and no rejected one or label."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat: the exchanges of the history, the query, the response."""
    accepted = answers(row, "response")
    messages = (*system(row), *history(row), user(text(row, "query")), assistant(accepted[0]))
    others = references(row) or several(accepted)
    return chat(messages, references=others, **place(row, number))


def _fits(row: FileRow) -> bool:
    judged = has_rejected(row) or "chosen" in row or label_of(row.get("label")) is not None
    return {"query", "response"} <= row.keys() and not judged
