"""What one vote says: the outcome for the new model, a rated pair, or a judgement of two answers.

Every count, statistic and preference pair reads votes through these three functions.
"""

from typing import Literal, NamedTuple, cast

from engine.core.answer_sides import answer_on, as_shown, side_of
from engine.core.rating import Answer, Comparison, Round, Side, VoteDetails
from engine.services.rating import rankings
from engine.stats.rated_pairs import RatedPair
from engine.store.votes import LiveVote

VoteOutcome = Literal["win", "loss", "tie", "both_bad", "good", "bad"]


class ImprovedAnswer(NamedTuple):
    """A better text that a rater made of one answer."""

    answer: Answer
    text: str


class Judgement(NamedTuple):
    """`better` is None for a tie, and where both were bad or only one answer was shown."""

    rater: str
    better: Answer | None
    both_bad: bool = False
    alone: bool = False  # one answer was shown, and rated good or bad
    clearly: bool = False
    liked: tuple[tuple[Answer, bool], ...] = ()
    edit: ImprovedAnswer | None = None


def outcome(comparison: Comparison, vote: LiveVote, rating_round: Round) -> VoteOutcome:
    """The vote from the side of the new model; of a model against itself answer A stands for it.

    A ranking is a win where the new model's answers win more than half of their pairs.
    """
    if vote.choice == "ranked":
        return _of_ranking(comparison, vote, rating_round)
    preferred = vote.preferred
    if preferred != "a" and preferred != "b":
        return cast("VoteOutcome", preferred)
    new: Answer = "a" if comparison.model_a == rating_round.arm_new else "b"
    return "win" if preferred == new else "loss"


def _of_ranking(comparison: Comparison, vote: LiveVote, rating_round: Round) -> VoteOutcome:
    models = comparison.models
    ours = [letter for letter, model in models.items() if model == rating_round.arm_new]
    if len(ours) in (0, len(models)):
        ours = ["a"]
    share = rankings.score(vote, ours, [letter for letter in models if letter not in ours])
    if share == 0.5:
        return "tie"
    return "win" if share > 0.5 else "loss"


def rated_pair(comparison: Comparison, vote: LiveVote) -> RatedPair:
    """The vote as statistics read it; a repeat has the prompt of the comparison it repeats.

    Where one model wrote both answers the two texts stand for models. Of a ranking it is the vote
    on answers A and B: one of each vote, so that votes stay independent.
    """
    if vote.order:
        vote = rankings.on_pair(vote, "a", "b")
    models = (comparison.model_a, comparison.model_b)
    if models[0] == models[1]:
        models = ("one answer", "the other answer")
    left, right = as_shown(*models, vote.left_is)
    lengths = as_shown(len(comparison.answer_a), len(comparison.answer_b), vote.left_is)
    right_answer = comparison.details.get("answer")
    return RatedPair(
        prompt=comparison.details.get("of", comparison.id)
        if comparison.kind == "repeat"
        else comparison.id,
        rater=vote.rater,
        left=left,
        right=right,
        choice=vote.choice,  # type: ignore[arg-type]  # a pair is never called good or bad
        left_len=lengths[0],
        right_len=lengths[1],
        expected=side_of(right_answer, vote.left_is)
        if comparison.kind == "gold" and (right_answer == "a" or right_answer == "b")
        else None,
    )


def judgement(vote: LiveVote, details: VoteDetails) -> Judgement:
    """What the vote and its `details` say of answers A and B, wherever they stood.

    A ranking is taken apart first (rankings.unfold_vote).
    """
    liked = {
        answer_on("left", vote.left_is): details.get("acceptable_left"),
        answer_on("right", vote.left_is): details.get("acceptable_right"),
    }
    alone = vote.choice in ("good", "bad")
    if alone:
        liked[answer_on("left", vote.left_is)] = vote.choice == "good"
    edit = details.get("edit")
    preferred = vote.preferred
    return Judgement(
        rater=vote.rater,
        better=preferred if preferred == "a" or preferred == "b" else None,
        both_bad=preferred == "both_bad",
        alone=alone,
        clearly=details.get("strength") == 2,
        liked=tuple((answer, yes) for answer, yes in liked.items() if yes is not None),
        edit=ImprovedAnswer(answer_on(cast("Side", edit["side"]), vote.left_is), edit["text"])
        if edit and edit["text"]
        else None,
    )
