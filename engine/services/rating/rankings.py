"""Rankings of three or four answers, and the pairs of answers that each of them compares.

A ranking is stored as one vote. What counts pairs sees it as a vote on each two of its answers:
as many as k (k - 1) / 2, all of one reading of the prompt. `unfold_comparison` and `unfold_vote`
name them alike. Statistics that need independent votes take one pair of a ranking, A and B, whose
places come from hashes, so nobody's vote decides which two are compared.
"""

import random
from collections.abc import Sequence
from itertools import combinations

from engine.core.rating import (
    LETTERS,
    POSITIONS,
    Answer,
    Comparison,
    ComparisonDetails,
    Position,
    ScreenChoice,
    VoteDetails,
)
from engine.store.votes import LiveVote

RANKED: tuple[ScreenChoice, ...] = ("ranked", "tie", "both_bad")


def order_for(comparison: Comparison, rater: str, left_is: Answer) -> str:
    """The answers of a ranking as this rater sees them, such as "cabd"; empty for two answers.

    Drawn by comparison and rater. Of A and B the one that stands left in the rater's pairs comes
    first, so that each of them does for every second rater.
    """
    if not comparison.ranked:
        return ""
    letters = list(comparison.answers)
    random.Random(f"{comparison.id} {rater}").shuffle(letters)
    a, b = letters.index("a"), letters.index("b")
    if (a < b) != (left_is == "a"):
        letters[a], letters[b] = letters[b], letters[a]
    return "".join(letters)


def letter_at(position: Position, order: str) -> str:
    """The answer of a ranking that stands there."""
    return order[POSITIONS.index(position)]


def dense(ranks: Sequence[int]) -> list[int]:
    """The same ranking without gaps, 1 for the best."""
    places = {rank: n for n, rank in enumerate(sorted(set(ranks)), 1)}
    return [places[rank] for rank in ranks]


def source_id(comparison: Comparison) -> str:
    """The stored comparison that a pair was taken from; its own id for one of two answers."""
    return comparison.details.get("ranking", comparison.id)


def unfold_comparison(comparison: Comparison) -> list[Comparison]:
    """The pairs of answers that a ranking compares; a comparison of two answers itself."""
    if not comparison.ranked:
        return [comparison]
    texts, models = comparison.answers, comparison.models
    kept = ("rule", "margin", "written")
    known = {key: value for key, value in comparison.details.items() if key in kept}
    found = []
    for a, b in combinations(texts, 2):
        details: ComparisonDetails = {**known, "ranking": comparison.id}  # type: ignore[typeddict-item]
        if "of" in comparison.details:  # a repeat is of the pair with the same letters
            details["of"] = _pair_id(comparison.details["of"], a, b)
        found.append(comparison.model_copy(
            update={
                "id": _pair_id(comparison.id, a, b), "answer_a": texts[a], "answer_b": texts[b],
                "model_a": models[a], "model_b": models[b], "details": details,
            }
        ))  # fmt: skip
    return found


def unfold_vote(vote: LiveVote) -> list[LiveVote]:
    """The vote on each pair of a ranking, in the order of `unfold_comparison`; else the vote."""
    if not vote.order:
        return [vote]
    letters = LETTERS[: len(vote.order)]
    return [
        on_pair(vote, a, b)._replace(comparison_id=_pair_id(vote.comparison_id, a, b))
        for a, b in combinations(letters, 2)
    ]


def on_pair(vote: LiveVote, a: str, b: str) -> LiveVote:
    """What a ranking says of two of its answers, as a vote on them alone."""
    first, second = (vote.order.index(letter) for letter in (a, b))
    choice = vote.choice
    if choice == "ranked":
        choice = _side(vote.ranks[min(first, second)], vote.ranks[max(first, second)])
    left: Answer = "a" if first < second else "b"
    return vote._replace(left_is=left, choice=choice, order="", ranks=())


def details_on_pair(details: VoteDetails, vote: LiveVote, pair: LiveVote) -> VoteDetails:
    """The details of a ranking that belong to one of its pairs, sides as in `pair`."""
    if not vote.order:
        return details
    found = details.copy()
    edit = found.pop("edit", None)
    if edit:
        two = pair.comparison_id.rpartition(":")[2]
        edited = letter_at(edit["side"], vote.order)
        if edited in two:
            left = (edited == two[0]) == (pair.left_is == "a")
            found["edit"] = {"side": "left" if left else "right", "text": edit["text"]}
    return found


def score(vote: LiveVote, ours: Sequence[str], others: Sequence[str]) -> float:
    """The share of pairs of an answer of `ours` and one of `others` that ours win, ties half."""
    ranks = dict(zip(vote.order, vote.ranks, strict=True))
    pairs = [(ranks[one], ranks[other]) for one in ours for other in others]
    won = sum(1.0 if one < other else 0.5 if one == other else 0.0 for one, other in pairs)
    return won / len(pairs)


def _side(left: int, right: int) -> ScreenChoice:
    if left == right:
        return "tie"
    return "left" if left < right else "right"


def _pair_id(comparison_id: str, a: str, b: str) -> str:
    return f"{comparison_id}:{a}{b}"
