"""The prompt and the answers among the fields that a program showed to its raters."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.errors import RowError
from engine.core.examples import Message
from engine.core.imported_votes import LETTERS, SIDES, GivenAnswer, GivenRating, GivenVote
from engine.core.parsed_file import FileRow
from engine.formats.votes import cells, columns
from engine.formats.votes.choices import choice_of
from engine.formats.votes.table import value_of


class Fields(NamedTuple):
    """`names` are those of the fields that hold the answers, in the order of the answers."""

    prompt: tuple[Message, ...]
    answers: tuple[GivenAnswer, ...]
    names: tuple[str, ...]


class Stated(NamedTuple):
    """What one person said of the fields; `number` is the row that holds it."""

    number: int
    rater: str
    value: object
    sides: bool = False
    at: float | None = None


def fields_of(given: FileRow) -> Fields:
    """By their usual names; else the texts beside the prompt are the answers, in their order."""
    roles = columns.named(list(given), columns.NAMES)
    asked = roles.get("prompt")
    prompt = cells.prompt_of(given, asked)
    models = next(
        (pair for pair in (SIDES[0], LETTERS[0]) if pair[0] in roles and pair[1] in roles), ()
    )
    named = [cells.name_of(given.get(roles[role])) for role in models]
    pair = next(
        (pair for pair in (SIDES[1], LETTERS[1]) if pair[0] in roles and pair[1] in roles), None
    )
    if pair:
        holders = [roles[role] for role in pair]
    else:
        used = {asked, *(roles[role] for role in models)}
        holders = [key for key, value in given.items() if key not in used and _is_text(value)]
    found = [cells.answer_of(given, holder) for holder in holders]
    before = next((turns for turns, _ in found if turns), ())
    if len(named) != len(found):
        named = [""] * len(found)
    answers = tuple(GivenAnswer(name, text) for name, (_, text) in zip(named, found, strict=True))
    return Fields(prompt or before, answers, tuple(holders))


def vote_or_rating(fields: Fields, stated: Stated) -> GivenVote | GivenRating:
    """The vote on two answers, or the rating of one; RowError where it is neither."""
    item = cells.item_of(fields.prompt, stated.number)
    if len(fields.answers) == 1:
        return GivenRating(
            stated.number, item, fields.prompt, stated.rater, fields.answers[0],
            value_of(stated.value), stated.at,
        )  # fmt: skip
    if len(fields.answers) != 2:
        raise RowError(f"shows {len(fields.answers)} texts beside the prompt, not one or two")
    first, second = fields.answers
    chosen = choice_of(
        stated.value, (first.model, fields.names[0]), (second.model, fields.names[1])
    )
    return GivenVote(
        stated.number, item, fields.prompt, stated.rater, first, second, chosen.choice,
        chosen.strength, stated.sides, stated.at,
    )  # fmt: skip


def ranked(ranks: Sequence[object], fields: Fields) -> str:
    """The choice that a ranking of two answers makes, as a word; RowError for another ranking."""
    places: dict[str, float] = {}
    for each in ranks:
        if isinstance(each, dict):
            place = cells.number(each.get("rank"))
            if place is not None:
                places[columns.spelled(str(each.get("value")))] = place
    known = [places.get(columns.spelled(name)) for name in fields.names]
    if len(known) != 2 or None in known:
        raise RowError("ranks something else than the two answers")
    first, second = known
    if first == second:
        return "tie"
    return "left" if (first or 0) < (second or 0) else "right"


def _is_text(value: object) -> bool:
    turns = isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)
    return turns or (isinstance(value, str) and bool(value.strip()))
