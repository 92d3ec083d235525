"""LangSmith's feedback: entries of their own, or inside the runs that they are about.

Two entries of one group (`feedback_group_id`, else a comparative experiment and its example) are a
vote: the run with the higher score wins. Other entries rate one run. Runs in the same file, such as
a ZIP of both, give the texts; without them an experiment is known by its id. Scores of programs
(`feedback_source.type` other than `app`) are no votes of people. Nothing says which answer stood
where.
https://docs.langchain.com/langsmith/feedback-data-format
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from engine.core.errors import RowError
from engine.core.imported_votes import (
    GivenAnswer,
    GivenRating,
    GivenVote,
    SkippedRow,
)
from engine.core.parsed_file import BrokenRow, FileRow
from engine.core.rating import Choice
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.turns import share
from engine.formats.votes import cells, observed
from engine.formats.votes.table import value_of

TITLE = "LangSmith"
SUMMARY = "feedback entries, alone or in runs; two of one group are a vote"
COLUMNS = frozenset({"run_id", "feedback_source", "feedback", "inputs", "outputs"})
PERSON = "app"
NO_PERSON = "feedback of a program, not of a person"
NO_SCORE = "feedback without a score"


class _Feedback(NamedTuple):
    row: int
    run: str
    score: float
    rater: str
    group: str
    at: float | None
    session: str  # the experiment of the run, which stands for its model where the run is missing


class _Run(NamedTuple):
    row: int
    asked: Any
    answered: Any
    model: str
    example: str


def sniff(rows: Sequence[FileRow]) -> float:
    """Feedback has a run, a key and a source; runs have inputs, outputs and feedback."""
    fits = share(list(rows), lambda row: _is_feedback(row) or _is_run(row))
    has_feedback = any(_is_feedback(row) or isinstance(row.get("feedback"), list) for row in rows)
    return fits if has_feedback else 0.0


def gives_texts(row: FileRow) -> bool:
    """Whether it is a run, whose feedback may be rows of their own."""
    return _is_run(row)


def votes(
    rows: Sequence[NumberedRow],
) -> Iterator[GivenVote | GivenRating | SkippedRow | BrokenRow]:
    """A vote of each group of two, a rating of every other entry."""
    yield from observed.no_objects(rows, "feedback")
    runs = {
        str(row["id"]): _run(row, number) for number, row in rows if _is_run(row) and row.get("id")
    }
    entries = [entry for number, row in rows for entry in _entries(row, number)]
    key = observed.most_used(str(entry.get("key")) for _, entry in entries)
    people = cells.people(_person(entry) for _, entry in entries)
    groups: dict[str, list[_Feedback]] = defaultdict(list)
    for number, entry in entries:
        found = _feedback(entry, number, key, runs, people)
        if isinstance(found, _Feedback):
            groups[found.group or f"alone {len(groups)}"].append(found)
        else:
            yield found
    for group in groups.values():
        yield from _vote_or_rating(group, runs)


def _is_feedback(row: FileRow) -> bool:
    return "run_id" in row and "key" in row and ("score" in row or "value" in row)


def _is_run(row: FileRow) -> bool:
    return "inputs" in row and "outputs" in row


def _entries(row: FileRow, number: int) -> list[tuple[int, FileRow]]:
    if _is_feedback(row):
        return [(number, row)]
    listed = row.get("feedback")
    inside = listed if isinstance(listed, list) else []
    run = {"run_id": row.get("id")}
    return [(number, {**run, **each}) for each in inside if isinstance(each, dict)]


def _feedback(
    entry: FileRow, number: int, key: str, runs: dict[str, _Run], people: dict[str, str]
) -> _Feedback | SkippedRow | BrokenRow:
    if str(entry.get("key")) != key:
        return SkippedRow(number, f"feedback on something else than {key[:40]!r}")
    source = _source(entry)
    if source.get("type") not in (None, PERSON):
        return SkippedRow(number, NO_PERSON)
    given = entry.get("score") if entry.get("score") is not None else entry.get("value")
    if given is None:
        return SkippedRow(number, NO_SCORE)
    try:
        score = value_of(given)
    except RowError as error:
        return BrokenRow(number, str(error))
    run = str(entry.get("run_id"))
    name, user = _person(entry)
    rater = people.get(cells.name_of(user)) or cells.name_of(name)
    group = str(entry.get("feedback_group_id") or "")
    experiment = entry.get("comparative_experiment_id")
    if experiment and not group and run in runs and runs[run].example:
        group = f"{experiment} {runs[run].example} {rater}"
    session = cells.name_of(entry.get("session_id"))
    at = cells.seconds(entry.get("created_at"))
    return _Feedback(number, run, score, rater, group, at, session)


def _source(entry: FileRow) -> FileRow:
    source = entry.get("feedback_source")
    return source if isinstance(source, dict) else {}


def _person(entry: FileRow) -> tuple[object, object]:
    """The name and the id of who gave it."""
    source = _source(entry)
    return source.get("user_name"), source.get("user_id")


def _run(row: FileRow, number: int) -> _Run:
    model = row.get("session_name") or row.get("experiment") or row.get("session_id")
    example = str(row.get("reference_example_id") or "")
    return _Run(number, row.get("inputs"), row.get("outputs"), cells.name_of(model), example)


def _vote_or_rating(
    group: list[_Feedback], runs: dict[str, _Run]
) -> list[GivenVote | GivenRating | BrokenRow]:
    first = group[0]
    run = runs.get(first.run)
    prompt = observed.question_in(run.asked) if run else ()
    item = cells.item_of(prompt, first.row)
    if len(group) == 1 and not first.group:
        answer = _answer(first, runs)
        return [GivenRating(first.row, item, prompt, first.rater, answer, first.score, first.at)]
    if len(group) != 2:
        why = f"is one of {len(group)} in its group, not of two"
        return [BrokenRow(each.row, why) for each in group]
    second = group[1]
    one, other = _answer(first, runs), _answer(second, runs)
    if one.model == other.model and one.text == other.text:
        why = "compares two runs that the file holds nothing of"
        return [BrokenRow(each.row, why) for each in group]
    choice: Choice = "tie"
    if first.score != second.score:
        choice = "left" if first.score > second.score else "right"
    return [GivenVote(first.row, item, prompt, first.rater, one, other, choice, at=first.at,
                      second_row=second.row)]  # fmt: skip


def _answer(feedback: _Feedback, runs: dict[str, _Run]) -> GivenAnswer:
    run = runs.get(feedback.run)
    return (
        GivenAnswer(run.model, observed.answer_in(run.answered))
        if run
        else GivenAnswer(feedback.session)
    )
