"""rating verdict --unlabelled: votes and a predictor's numbers, matched by question."""

from collections.abc import Sequence
from pathlib import Path

from engine.cli import vote_files
from engine.core.errors import UserError
from engine.core.imported_votes import GivenVote, VoteFile
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.votes.predictions import further_questions, predictions
from engine.stats.prediction_powered import Predictions
from engine.stats.rated_pairs import RatedPair, prompt_means


def matched(
    file: Path,
    loaded: LoadedFile,
    read: VoteFile,
    votes: Sequence[RatedPair],
    models: tuple[str, str],
    unlabelled: Path,
) -> Predictions:
    """Scores and predictions of the questions with votes, and predictions of the further ones.

    `models` are the one under test and the other; `votes` are those between them that count.
    UserError where a question has two predictions, or stands in both files.
    """
    means = prompt_means(votes, models[0])
    pair = frozenset(models)
    given = [v for v in read.votes if {v.first.model, v.second.model} == pair and v.item in means]
    if any(not vote.prompt for vote in given):
        raise UserError(
            f"{file.name} has no prompts, so questions can't be told apart.",
            "Add a column prompt.",
        )
    expected = _of_questions(file, given, predictions(loaded.rows, file.name))
    more = vote_files.open_file(unlabelled)
    rows = vote_files.rows(unlabelled, more)
    further = further_questions(rows, unlabelled.name, read.mapping, pair)
    for each in further:
        if each.item in expected:
            raise UserError(
                f"The question of row {each.row} of {unlabelled.name} has votes in {file.name}.",
                "Leave it out of the questions without votes.",
            )
    return Predictions(
        list(means.values()), [expected[item] for item in means], [each.value for each in further]
    )


def _of_questions(
    file: Path, votes: Sequence[GivenVote], by_row: dict[int, float]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for vote in votes:
        value = by_row[vote.row]
        if found.setdefault(vote.item, value) != value:
            raise UserError(
                f"Row {vote.row} of {file.name} has another prediction than an earlier row of its "
                "question.",
                "Give one number for each question.",
            )
    return found
