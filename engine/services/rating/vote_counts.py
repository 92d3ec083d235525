"""What the votes of a round add up to: only pairs that count, only raters who are not paused.

What they show is decided in round_verdict.py.
"""

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import Connection

from engine.core.rating import Round, Tally, panel_of
from engine.services.rating import paused_raters
from engine.services.rating.vote_reading import VoteOutcome, outcome
from engine.stats.rater_population import RaterScore
from engine.store import rater_reviews, rounds, votes
from engine.store.rater_reviews import DeletedVotes
from engine.store.votes import LiveVote

WORTH: dict[VoteOutcome, float] = {"win": 1.0, "loss": 0.0, "tie": 0.5, "both_bad": 0.5}


class Counted(NamedTuple):
    """Outcomes by comparison in the order of the first votes, from the side of the new arm."""

    outcomes: dict[str, list[VoteOutcome]]
    votes: list[LiveVote]
    paused: int  # votes that paused raters cast
    identical: frozenset[str]  # comparisons with the same answer from both, a tie in `outcomes`
    scores: tuple[RaterScore, ...]  # of the votes on pairs, with their raters


def counted(conn: Connection, rating_round: Round) -> Counted:
    """The votes that count; in a blind round identical answers are a tie nobody was shown."""
    pairs = {c.id: c for c in rounds.comparisons(conn, rating_round.id)}
    normal = [
        v for v in votes.live(conn, [rating_round.id]) if pairs[v.comparison_id].kind == "normal"
    ]
    stopped = paused_raters.paused(conn, rating_round.id)
    counting = [vote for vote in normal if vote.rater not in stopped]
    outcomes: dict[str, list[VoteOutcome]] = defaultdict(list)
    scores = []
    for vote in counting:
        result = outcome(pairs[vote.comparison_id], vote, rating_round)
        outcomes[vote.comparison_id].append(result)
        if result in WORTH:
            scores.append(RaterScore(vote.comparison_id, vote.rater, WORTH[result]))
    same = frozenset(c.id for c in pairs.values() if c.kind == "identical" and rating_round.blind)
    for pair in pairs:
        if pair in same:
            outcomes[pair].append("tie")
    return Counted(outcomes, counting, len(normal) - len(counting), same, tuple(scores))


def count(conn: Connection, rating_round: Round) -> Tally:
    """The tally of a round."""
    return tally(conn, rating_round, counted(conn, rating_round))


def tally(conn: Connection, rating_round: Round, found: Counted) -> Tally:
    flat = [result for each in found.outcomes.values() for result in each]
    means = (
        [] if rating_round.mode == "single" else [mean(each) for each in found.outcomes.values()]
    )
    return Tally(
        wins=flat.count("win"),
        losses=flat.count("loss"),
        ties=flat.count("tie"),
        both_bad=flat.count("both_bad"),
        raters=len({vote.rater for vote in found.votes}),
        prompts=len(found.outcomes),
        left=sum(vote.side == "left" for vote in found.votes),
        right=sum(vote.side == "right" for vote in found.votes),
        by_prompt=tuple(means),
        good=flat.count("good"),
        bad=flat.count("bad"),
        paused=found.paused,
        identical=len(found.identical),
        ranked=sum(vote.choice == "ranked" for vote in found.votes),
        guests=rater_reviews.guests(conn, rating_round.id),
        deleted=sum(each["votes"] for each in deleted(conn, rating_round)),
        panel=panel_of(vote.rater for vote in found.votes),
    )


def deleted(conn: Connection, rating_round: Round) -> list[DeletedVotes]:
    """Of each rater whose votes in the round were deleted, what is kept."""
    erasures = rater_reviews.list_erasures(conn, rating_round.project_id)
    return [each.rounds[rating_round.id] for each in erasures if rating_round.id in each.rounds]


def complete_means(rating_round: Round, found: Counted) -> list[float]:
    """The mean of each prompt that has all the votes that the plan wants, in their order.

    Prompts with the same answer from both need none, and count one half as in the verdict.
    Whoever sees a prompt half-way could stop at a lucky half.
    """
    overlap = rating_round.plan.overlap
    return [
        mean(each)
        for pair, each in found.outcomes.items()
        if len(each) >= overlap or pair in found.identical
    ]


def mean(outcomes: list[VoteOutcome]) -> float:
    return sum(WORTH[each] for each in outcomes) / len(outcomes)
