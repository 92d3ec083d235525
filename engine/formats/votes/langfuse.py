"""Langfuse's scores: the export of its table of scores, or traces with their scores.

A score rates one answer, so nothing compares two. Traces and observations in the same file, such
as a ZIP of both, give the texts. Scores with the source EVAL come from programs. Names are read as
the page writes them (`traceId`) and as the blob storage does (`trace_id`).
https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields
"""

from collections.abc import Iterator, Sequence

from engine.core.errors import RowError
from engine.core.imported_votes import GivenAnswer, GivenRating, GivenVote, SkippedRow
from engine.core.parsed_file import BrokenRow, FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import share
from engine.formats.votes import cells, observed
from engine.formats.votes.table import value_of

TITLE = "Langfuse"
SUMMARY = "scores, with their traces where the file holds them"
COLUMNS = frozenset({"traceid", "trace_id", "stringvalue", "string_value", "scores", "source"})
NO_PERSON = "a score of a program, not of a person"
OF_NO_TRACE = "a score of a session or data set, not of one answer"
PROGRAM = "EVAL"


def sniff(rows: Sequence[FileRow]) -> float:
    """Scores have a trace, a name, a source and a value; traces have scores."""
    fits = share(list(rows), lambda row: _is_score(row) or _is_trace(row))
    has_scores = any(_is_score(row) or isinstance(row.get("scores"), list) for row in rows)
    return fits if has_scores else 0.0


def gives_texts(row: FileRow) -> bool:
    """Whether it is a trace or an observation, whose scores may be rows of their own."""
    return _is_trace(row)


def votes(
    rows: Sequence[NumberedRow],
) -> Iterator[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    """A rating of each score that a person gave."""
    yield from observed.no_objects(rows, "scores")
    logged = {str(row["id"]): row for _, row in rows if _is_trace(row) and row.get("id")}
    scores = [score for number, row in rows for score in _scores(row, number)]
    name = observed.most_used(str(score.get("name")) for _, score in scores)
    for number, score in scores:
        if _of(score, "traceId") is None:
            yield SkippedRow(number, OF_NO_TRACE)
        elif str(score.get("name")) != name:
            yield SkippedRow(number, f"a score of something else than {name[:40]!r}")
        elif str(score.get("source")).upper() == PROGRAM:
            yield SkippedRow(number, NO_PERSON)
        else:
            try:
                yield _rating(score, number, logged)
            except RowError as error:
                yield BrokenRow(number, str(error))


def _is_score(row: FileRow) -> bool:
    has_value = "value" in row or _of(row, "stringValue") is not None
    return has_value and "name" in row and "source" in row and _names_trace(row)


def _names_trace(row: FileRow) -> bool:
    """Whether it has the field at all; a score of a whole session leaves it empty."""
    return not {"traceId", "trace_id", "traceid"}.isdisjoint(row)


def _is_trace(row: FileRow) -> bool:
    return "input" in row and "output" in row


def _scores(row: FileRow, number: int) -> list[tuple[int, FileRow]]:
    if _is_score(row):
        return [(number, row)]
    listed = row.get("scores")
    inside = listed if isinstance(listed, list) else []
    return [
        (number, {"traceId": row.get("id"), **each}) for each in inside if isinstance(each, dict)
    ]


def _rating(score: FileRow, number: int, logged: dict[str, FileRow]) -> GivenRating:
    about = logged.get(str(_of(score, "observationId"))) or logged.get(str(_of(score, "traceId")))
    prompt = observed.question_in(about.get("input")) if about else ()
    text = observed.answer_in(about.get("output")) if about else None
    label = _of(score, "stringValue")
    kind = str(_of(score, "dataType")).upper()
    value = value_of(label if kind == "CATEGORICAL" and label is not None else score.get("value"))
    model = (about or {}).get("model") or _of(about or {}, "providedModelName")
    return GivenRating(
        row=number,
        item=cells.item_of(prompt, number) if prompt else str(_of(score, "traceId")),
        prompt=prompt,
        rater=cells.name_of(_of(score, "authorUserId") or _of(score, "userId")),
        answer=GivenAnswer(cells.name_of(model), text),
        value=value,
        at=cells.seconds(_of(score, "timestamp")),
    )


def _of(row: FileRow, name: str) -> object:
    """A field in either spelling, which a table has without capitals."""
    snake = "".join(f"_{mark.lower()}" if mark.isupper() else mark for mark in name)
    found = next((row[key] for key in (name, snake, name.lower()) if key in row), None)
    return None if found == "" else found
