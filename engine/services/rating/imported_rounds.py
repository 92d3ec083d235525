"""Votes of a file -> closed rounds: one for each two models, or for each model that was rated."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.core import ids
from engine.core.answer_sides import OTHER
from engine.core.imported_votes import GivenAnswer, GivenRating, GivenVote
from engine.core.rating import (
    Answer,
    AssignmentState,
    Comparison,
    ComparisonDetails,
    ComparisonKind,
    Mode,
    Purpose,
    Round,
    RoundOrigin,
    RoundPlan,
    ScreenChoice,
    VoteDetails,
)
from engine.services.rating.comparisons import Placed
from engine.services.rating.named_models import NamedModels
from engine.store.json_columns import to_json
from engine.store.votes import Assignment, ImportedVote

RULE = "as rated elsewhere"
UNNAMED_RATER = "unnamed rater"
OF_AN_ID = "forgotten-"  # no rater may be called like an entry of the deleted ones
NAME_LENGTH = 80
TURNED: dict[ScreenChoice, ScreenChoice] = {"left": "right", "right": "left"}


class PreparedRound(NamedTuple):
    """A round that is whole before anything is stored; `repeats` of its votes count in nothing."""

    round: Round
    placed: list[Placed]
    votes: list[ImportedVote]
    repeats: int
    textless: int  # comparisons whose texts the file does not hold


class ImportSource(NamedTuple):
    """What is the same for all rounds of a file."""

    project_id: str
    by: str
    name: str
    purpose: Purpose
    new: str | None
    origin: RoundOrigin


class _Rated(NamedTuple):
    """A vote or rating in one shape; `left` is the first of the file's two answers."""

    row: int
    rater: str
    choice: ScreenChoice
    at: float
    details: VoteDetails
    left: GivenAnswer
    right: GivenAnswer | None
    item: str
    given: GivenVote | GivenRating


def of_votes(
    votes: Sequence[GivenVote], source: ImportSource, named: NamedModels
) -> list[PreparedRound]:
    """A round for each two models, in the order in which the file first names them."""
    groups: dict[tuple[str, ...], list[GivenVote]] = defaultdict(list)
    for vote in votes:
        groups[tuple(sorted((vote.first.model, vote.second.model)))].append(vote)
    now = time.time()
    return [
        _round(source, named, _arms(group, source.new), [_pair(v, now) for v in group], "pair")
        for group in groups.values()
    ]


def of_ratings(
    ratings: Sequence[tuple[GivenRating, bool]], source: ImportSource, named: NamedModels
) -> list[PreparedRound]:
    """A round of single answers for each model; True is good."""
    groups: dict[str, list[tuple[GivenRating, bool]]] = defaultdict(list)
    for rating, good in ratings:
        groups[rating.answer.model].append((rating, good))
    now = time.time()
    return [
        _round(source, named, (model, model), [_single(*each, now) for each in group], "single")
        for model, group in groups.items()
    ]


def pairs_of_models(votes: Iterable[GivenVote]) -> int:
    """How many rounds the votes make."""
    return len({frozenset((vote.first.model, vote.second.model)) for vote in votes})


def repeated(votes: Iterable[GivenVote | GivenRating]) -> int:
    """How many are a further one of a rater on the same answers."""
    seen: set[tuple[object, ...]] = set()
    count = 0
    for vote in votes:
        key = (vote.rater, *_key(vote))
        count += key in seen
        seen.add(key)
    return count


def _arms(votes: Sequence[GivenVote], wanted: str | None) -> tuple[str, str]:
    """The model under test, by wish or the first that the file names, and the other."""
    first, second = votes[0].first.model, votes[0].second.model
    return (second, first) if wanted == second else (first, second)


def _pair(vote: GivenVote, now: float) -> _Rated:
    details: VoteDetails = {"strength": vote.strength} if vote.strength else {}
    at = _at(vote.at, vote.row, now)
    return _Rated(
        vote.row, _rater(vote.rater), vote.choice, at, details, vote.first, vote.second,
        vote.item, vote,
    )  # fmt: skip


def _single(rating: GivenRating, good: bool, now: float) -> _Rated:
    at = _at(rating.at, rating.row, now)
    return _Rated(
        rating.row, _rater(rating.rater), "good" if good else "bad", at, {}, rating.answer, None,
        rating.item, rating,
    )  # fmt: skip


def _at(stated: float | None, row: int, now: float) -> float:
    """When it was cast: the order of the file decides where it does not say so."""
    return now + row * 1e-6 if stated is None else stated


def _rater(name: str) -> str:
    if name.startswith(OF_AN_ID):
        return f"rater {name}"
    return name or UNNAMED_RATER


def _key(given: GivenVote | GivenRating) -> tuple[object, ...]:
    """Equal for votes on the same answers, whichever stands first."""
    if isinstance(given, GivenRating):
        return (given.item, given.answer.model, given.answer.text, "")
    sides = sorted(
        (each.model, each.text or "", each.text is None) for each in (given.first, given.second)
    )
    expected = given.expected if given.expected in ("left", "right") else ""
    return (given.item, *sides, expected)


class _Builder:
    """The comparisons of a round and the votes on them, in the order of the file."""

    def __init__(self, rating_round: Round, named: NamedModels) -> None:
        self.rating_round = rating_round
        self.named = named
        self.placed: list[Placed] = []
        self.votes: list[ImportedVote] = []
        self.known: dict[tuple[object, ...], Comparison] = {}
        self.times: dict[tuple[object, ...], int] = defaultdict(int)
        self.repeats = 0
        self.textless = 0

    def add(self, rated: _Rated) -> None:
        key = _key(rated.given)
        times = self.times[key, rated.rater]
        self.times[key, rated.rater] += 1
        self.repeats += times > 0
        pair = self.known.get((key, times)) or self._comparison(rated, key, times)
        left_is, choice = self._left(pair, rated), rated.choice
        if rated.right is not None and not self.rating_round.states_sides and self._swapped(pair):
            left_is, choice = OTHER[left_is], TURNED.get(choice, choice)
        seat = Assignment(
            ids.token(),
            pair.id,
            self.rating_round.id,
            rated.rater,
            left_is,
            AssignmentState.VOTED,
            rated.at,
            rated.at,
        )
        self.votes.append(ImportedVote(seat, ids.new("vote"), choice, rated.details))

    def _comparison(self, rated: _Rated, key: tuple[object, ...], times: int) -> Comparison:
        answers = [rated.left] if rated.right is None else [rated.left, rated.right]
        answers.sort(key=lambda each: _digest(self.rating_round.id, each.model, each.text or ""))
        texts = [each.text or "" for each in answers]
        kind, details = self._kind(rated, key, times, answers)
        textless = not rated.given.prompt or any(each.text is None for each in answers)
        if textless and kind == "normal":
            self.textless += 1
            details["no_text"] = True
        made = Comparison(
            id=ids.new("pair"),
            round_id=self.rating_round.id,
            position=len(self.placed),
            prompt=rated.given.prompt,
            answer_a=texts[0],
            answer_b="" if rated.right is None else texts[-1],
            model_a=self.named.find(answers[0].model).id,
            model_b=self.named.find(answers[-1].model).id,
            kind=kind,
            details=details,
        )
        self.known[key, times] = made
        self.placed.append((made, "a"))
        return made

    def _kind(
        self, rated: _Rated, key: tuple[object, ...], times: int, answers: list[GivenAnswer]
    ) -> tuple[ComparisonKind, ComparisonDetails]:
        if times:
            return "repeat", {"of": self.known[key, 0].id}
        expected = rated.given.expected if isinstance(rated.given, GivenVote) else None
        if expected == "left" or expected == "right":
            right = rated.left if expected == "left" else rated.right
            return "gold", {"answer": "a" if right is answers[0] else "b", "reason": ""}
        return "normal", {}

    def _left(self, pair: Comparison, rated: _Rated) -> Answer:
        """Which answer of the comparison is the first one of the vote."""
        if rated.right is None:
            return "a"
        model = self.named.find(rated.left.model).id
        of_a = (pair.model_a, pair.answer_a) == (model, rated.left.text or "")
        return "a" if of_a else "b"

    def _swapped(self, pair: Comparison) -> bool:
        """Sides that nobody stated are dealt out, so that they say nothing of the answers."""
        return _digest(pair.id)[0] in "01234567"


def _round(
    source: ImportSource,
    named: NamedModels,
    arms: tuple[str, str],
    rated: Sequence[_Rated],
    mode: Mode,
) -> PreparedRound:
    new, base = named.find(arms[0]), named.find(arms[1])
    linked = named.linked(arms)
    sides = all(isinstance(each.given, GivenVote) and each.given.sides for each in rated)
    plan = RoundPlan(
        arms=(new.id, base.id),
        prompts=len({each.item for each in rated}),
        purpose=source.purpose,
        mode=mode,
        rule=RULE,
        origin=source.origin.model_copy(update={"linked": linked, "sides": sides}),
    )
    content = to_json(plan)
    called = new.name if new.id == base.id else f"{new.name} and {base.name}"
    rating_round = Round(
        id=ids.new("round"),
        project_id=source.project_id,
        name=f"{source.name}: {called}"[:NAME_LENGTH],
        purpose=source.purpose,
        arm_new=new.id,
        arm_base=base.id,
        plan=plan,
        plan_sha256=ids.sha256(content),
        status="closed",
        created_by=source.by,
        created_at=time.time(),
        closed_at=time.time(),
    )
    builder = _Builder(rating_round, named)
    for each in rated:
        builder.add(each)
    return PreparedRound(
        rating_round, builder.placed, builder.votes, builder.repeats, builder.textless
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
