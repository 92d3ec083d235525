"""A source and its target, each a text or a list: SciTLDR, and files made for translation."""

from engine.core.errors import RowError
from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.prompt_and_answer import answers, is_answers, several
from engine.formats.turns import assistant, chat, place, references, share, system, user, written

TITLE = "Source and target"
KIND: Kind = "sft"
SUMMARY = (
    "source (a text or a list of sentences), target (a text, or a list of which each is right)"
)
COLUMNS = frozenset({"source", "target", "system", "group"})


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with a source and a target."""
    return share(rows, _fits)


def read(row: FileRow, number: int) -> Chat:
    """A chat: the sentences of the source in one line; the first target is learned."""
    accepted = answers(row, "target")
    messages = (*system(row), user(_source(row)), assistant(accepted[0]))
    return chat(messages, references=several(accepted), **place(row, number))


def _source(row: FileRow) -> str:
    value = written(row.get("source"))
    if isinstance(value, list):
        return " ".join(sentence.strip() for sentence in references(row, "source"))
    if not isinstance(value, str):
        raise RowError("'source' is missing or no text")
    return value


def _fits(row: FileRow) -> bool:
    return all(is_answers(written(row.get(name))) for name in ("source", "target"))
