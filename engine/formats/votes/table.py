"""A table with one vote or one rating a row, whatever its columns are called."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from engine.core.errors import RowError
from engine.core.examples import Message
from engine.core.imported_votes import (
    GivenAnswer,
    GivenRating,
    GivenVote,
    SkippedRow,
    VoteMapping,
    VoteRole,
)
from engine.core.parsed_file import BrokenRow, FileRow
from engine.core.rating import Choice
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.prompt_and_answer import label_of
from engine.formats.votes import cells, columns
from engine.formats.votes.choices import choice_of

TITLE = "Table of votes"
SUMMARY = "one vote or one rating a row"
COLUMNS = columns.KNOWN
LIKED = frozenset({"up", "thumbs up", "thumbsup", "like", "liked", "good", "yes", "positive", "👍"})
DISLIKED = frozenset(
    {"down", "thumbs down", "thumbsdown", "dislike", "disliked", "bad", "no", "negative", "👎"}
)
WORDS: dict[str, Literal[1, 2]] = {
    "1": 1, "slight": 1, "slightly": 1, "somewhat": 1, "weak": 1,
    "2": 2, "clear": 2, "clearly": 2, "much": 2, "strong": 2, "strongly": 2,
}  # fmt: skip
Given = GivenVote | GivenRating | SkippedRow | BrokenRow


def sniff(rows: Sequence[FileRow]) -> float:
    """How well the columns fit: what other programs export is known by more than names."""
    return 0.6 if guess(rows) else 0.0


def guess(rows: Sequence[FileRow]) -> VoteMapping | None:
    """The mapping that the columns of these rows suggest."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return columns.guess(names, rows)


def votes(rows: Sequence[NumberedRow], mapping: VoteMapping | None = None) -> Iterator[Given]:
    """What each row gives, by the mapping or by what its columns suggest."""
    mapping = mapping or guess([row for _, row in rows]) or VoteMapping(columns={})
    of_one = "rating" in mapping.columns and not columns.sides_of(mapping.columns)
    for number, row in rows:
        try:
            yield _rating(row, number, mapping) if of_one else _vote(row, number, mapping)
        except RowError as error:
            yield BrokenRow(number, str(error))


class _Sides(NamedTuple):
    first: GivenAnswer
    second: GivenAnswer
    before: tuple[Message, ...]  # turns that the answers have before them
    stated: bool  # the columns are those of a side


def _vote(row: FileRow, number: int, mapping: VoteMapping) -> GivenVote:
    given = mapping.columns
    sides = _sides(row, given)
    prompt = cells.prompt_of(row, given.get("prompt")) or sides.before
    if "prompt" in given and not prompt:
        raise RowError("is not whole: it has no prompt")
    first = (sides.first.model, *_called(given, 0))
    second = (sides.second.model, *_called(given, 1))
    word = row.get(given.get("choice", ""), "")
    chosen = choice_of(_meant(word, mapping), first, second)
    strength = chosen.strength or WORDS.get(str(row.get(given.get("strength", ""))).casefold())
    return GivenVote(
        row=number,
        item=cells.item_of(prompt, number),
        prompt=prompt,
        rater=_rater(row, given),
        first=sides.first,
        second=sides.second,
        choice=chosen.choice,
        strength=strength if chosen.choice in ("left", "right") else None,
        sides=sides.stated or chosen.by_side,
        at=cells.seconds(row.get(given.get("time", ""))),
        expected=_expected(row, mapping, first, second),
    )


def _sides(row: FileRow, given: dict[VoteRole, str]) -> _Sides:
    """Both answers, by name and text; RowError where the row does not tell one from the other."""
    pairs = columns.sides_of(given)
    model = next((pair for pair in pairs if "model" in pair[0]), None)
    answer = next((pair for pair in pairs if "answer" in pair[0]), None)
    if pairs and "left" in pairs[0][0]:  # letters may name what the columns of the sides do not
        model = model or _whole(given, ("model_a", "model_b"))
        answer = answer or _whole(given, ("answer_a", "answer_b"))
    named = [cells.name_of(row.get(given[role])) for role in model] if model else ["", ""]
    texts: list[tuple[tuple[Message, ...], str | None]] = [((), None), ((), None)]
    if answer:
        texts = [cells.answer_of(row, given[role]) for role in answer]
    if model and not all(named):
        raise RowError("is not whole: it names one model, not two")
    if answer and any(text is None for _, text in texts) and not model:
        raise RowError("is not whole: it has one answer, not two")
    if named[0] == named[1] and texts[0][1] == texts[1][1]:
        raise RowError("compares one thing with itself")
    lengths = [
        cells.length(row.get(given.get(role, "")), "length")
        for role in ("left_length", "right_length")
    ]
    first, second = (
        GivenAnswer(name, text, size)
        for name, (_, text), size in zip(named, texts, lengths, strict=True)
    )
    stated = bool(pairs) and "left" in pairs[0][0]
    return _Sides(first, second, texts[0][0], stated)


def _whole(
    given: dict[VoteRole, str], pair: tuple[VoteRole, VoteRole]
) -> tuple[VoteRole, VoteRole] | None:
    return pair if pair[0] in given and pair[1] in given else None


def _called(given: dict[VoteRole, str], place: int) -> tuple[str, ...]:
    """The names of the columns of one side, which a choice may name."""
    return tuple(given[pair[place]] for pair in columns.sides_of(given))


def _meant(value: object, mapping: VoteMapping) -> object:
    """What a word of the file stands for."""
    if isinstance(value, dict):  # Label Studio's value in its short export
        value = value.get("selected", next(iter(value.values()), ""))
    plain = str(value).strip()
    return mapping.choices.get(plain, value)


def _rater(row: FileRow, given: dict[VoteRole, str]) -> str:
    if "rater" not in given:
        return ""
    found = cells.name_of(row.get(given["rater"]))
    if not found:
        raise RowError("is not whole: it names no rater")
    return found


def _expected(
    row: FileRow, mapping: VoteMapping, first: tuple[str, ...], second: tuple[str, ...]
) -> Choice | None:
    value = row.get(mapping.columns.get("expected", ""))
    if value in (None, ""):
        return None
    return choice_of(_meant(value, mapping), first, second).choice


def _rating(row: FileRow, number: int, mapping: VoteMapping) -> GivenRating:
    given = mapping.columns
    before, text = cells.answer_of(row, given.get("answer"))
    prompt = cells.prompt_of(row, given.get("prompt")) or before
    if text is None and "answer" in given:
        raise RowError("is not whole: it has no answer")
    return GivenRating(
        row=number,
        item=cells.item_of(prompt, number),
        prompt=prompt,
        rater=_rater(row, given),
        answer=GivenAnswer(cells.name_of(row.get(given.get("model", ""))), text),
        value=value_of(_meant(row.get(given["rating"], ""), mapping)),
        at=cells.seconds(row.get(given.get("time", ""))),
    )


def value_of(value: object) -> float:
    """A rating as a number, thumbs as 1 and 0; RowError for what is neither."""
    plain = str(value).strip().casefold().replace("_", " ").replace("-", " ")
    found = cells.number(value)
    if found is not None:
        return found
    if plain in LIKED | DISLIKED:
        return float(plain in LIKED)
    known = label_of(value)
    if known is None:
        raise RowError(f"has the rating {str(value)[:40]!r}")
    return float(known)
