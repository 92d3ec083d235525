"""What the votes of a round add up to: only pairs that count, only raters who are not paused."""

import time
from collections import defaultdict
from statistics import fmean
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core.rating import (
    Decision,
    Round,
    Tally,
    Verdict,
    panel_of,
    same_answer_words,
    tally_words,
)
from engine.services.rating import raters
from engine.services.rating.vote_reading import VoteOutcome, outcome
from engine.stats.betting import evidence_by_prompt
from engine.stats.people import RaterScore
from engine.stats.sequential import Evidence
from engine.stats.verdict import eyes_of
from engine.stats.verdict import verdict as weigh
from engine.store import audit, reviews, rounds, votes
from engine.store.reviews import DeletedVotes
from engine.store.votes import LiveVote

WORTH: dict[VoteOutcome, float] = {"win": 1.0, "loss": 0.0, "tie": 0.5, "both_bad": 0.5}


class Live(BaseModel):
    """How far an open test with a sequential rule is; it tells no side."""

    model_config = ConfigDict(frozen=True)

    evidence: float
    needed: float
    enough: bool
    sentence: str


class Counted(NamedTuple):
    """Outcomes by comparison in the order of the first votes, from the side of the new arm."""

    outcomes: dict[str, list[VoteOutcome]]
    votes: list[LiveVote]
    paused: int  # votes that paused raters cast
    identical: frozenset[str]  # comparisons with the same answer from both, a tie in `outcomes`
    scores: tuple[RaterScore, ...]  # of the votes on pairs, with their raters


def counted(conn: Connection, one: Round) -> Counted:
    """The votes that count; in a blind round identical answers are a tie nobody was shown."""
    pairs = {c.id: c for c in rounds.comparisons(conn, one.id)}
    normal = [v for v in votes.live(conn, [one.id]) if pairs[v.comparison_id].kind == "normal"]
    stopped = raters.paused(conn, one.id)
    counting = [vote for vote in normal if vote.rater not in stopped]
    outcomes: dict[str, list[VoteOutcome]] = defaultdict(list)
    scores = []
    for vote in counting:
        result = outcome(pairs[vote.comparison_id], vote, one)
        outcomes[vote.comparison_id].append(result)
        if result in WORTH:
            scores.append(RaterScore(vote.comparison_id, vote.rater, WORTH[result]))
    same = frozenset(c.id for c in pairs.values() if c.kind == "identical" and one.blind)
    for pair in pairs:
        if pair in same:
            outcomes[pair].append("tie")
    return Counted(outcomes, counting, len(normal) - len(counting), same, tuple(scores))


def count(conn: Connection, one: Round) -> Tally:
    """The tally of a round."""
    return _tally(conn, one, counted(conn, one))


def _tally(conn: Connection, one: Round, found: Counted) -> Tally:
    flat = [result for each in found.outcomes.values() for result in each]
    means = [] if one.mode == "single" else [_mean(each) for each in found.outcomes.values()]
    return Tally(
        wins=flat.count("win"),
        losses=flat.count("loss"),
        ties=flat.count("tie"),
        both_bad=flat.count("both_bad"),
        raters=len({vote.rater for vote in found.votes}),
        prompts=len(found.outcomes),
        left=sum(vote.choice == "left" for vote in found.votes),
        right=sum(vote.choice == "right" for vote in found.votes),
        by_prompt=tuple(means),
        good=flat.count("good"),
        bad=flat.count("bad"),
        paused=found.paused,
        identical=len(found.identical),
        guests=reviews.guests(conn, one.id),
        deleted=sum(each["votes"] for each in deleted(conn, one)),
        panel=panel_of(vote.rater for vote in found.votes),
    )


def deleted(conn: Connection, one: Round) -> list[DeletedVotes]:
    """Of each rater whose votes in the round were deleted, what is kept."""
    found = reviews.list_erasures(conn, one.project_id)
    return [each.rounds[one.id] for each in found if one.id in each.rounds]


def verdict(conn: Connection, one: Round) -> Verdict:
    """What the round shows, as it was decided where votes were deleted after the decision.

    A test is decided once: whoever deletes votes later must not be able to turn it.
    """
    gone = deleted(conn, one)
    decided = next((each["verdict"] for each in gone if each["verdict"]), None)
    if decided is None:
        return weighed(conn, one)
    found = Verdict.model_validate(decided)
    number = sum(each["votes"] for each in gone)
    sentence = f"This was decided with votes that have been deleted since: {number}."
    return found.model_copy(update={"sentence": f"{found.sentence} {sentence}"})


def weighed(conn: Connection, one: Round) -> Verdict:
    """What the votes that are there show by the rule of the plan, unless somebody looked early.

    With a sequential rule the bounds hold at every look, p is the inverse of the evidence, and no
    other number decides. That rule also judges a round that somebody looked at before its end: a
    test for a fixed number of votes does not hold for whoever could stop at a lucky moment.
    """
    votes_of = counted(conn, one)
    seen = _tally(conn, one, votes_of)
    number = seen.wins + seen.losses + seen.ties + seen.both_bad
    found = weigh(
        seen.wins,
        seen.losses,
        seen.ties,
        seen.both_bad,
        by_prompt=seen.by_prompt if number > seen.prompts else None,
        identical=seen.identical,
        votes=votes_of.scores,
    )
    early = looked_early(conn, one)
    if one.plan.decision != "sequential" and not early:
        return found
    means = complete_means(conn, one) if early else seen.by_prompt
    if early:
        found = found.model_copy(update={"win_rate": fmean(means) if means else 0.5})
    at = evidence_by_prompt(means)
    decision: Decision = "no difference shown"
    if at.stop:
        decision = "better" if found.win_rate > 0.5 else "worse"
    return found.model_copy(update={
        "decision": decision, "low": at.low, "high": at.high, "p": min(1.0, 1 / at.e),
        "sentence": f"{_sequential(found, at, decision, len(means))} {early}".strip(),
        "detectable": None, "people": None,
    })  # fmt: skip


def looked_early(conn: Connection, one: Round) -> str:
    """Who looked at a blind round before its end and what follows, or an empty text."""
    looks = audit.early_looks(conn, one.id)
    if not looks:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(looks[0].created_at))
    who = " and ".join(dict.fromkeys(each.who for each in looks))
    sentence = f"It was looked at early, by {who} (first on {when}). "
    if one.plan.decision != "sequential":
        sentence += "The fixed-size test is not valid after an early look; the range above is. "
    return sentence + "Votes of people who saw the interim result cannot be corrected for."


def complete_means(conn: Connection, one: Round) -> list[float]:
    """The mean of each prompt that has all the votes that the plan wants, in their order.

    Prompts with the same answer from both need none, and count one half as in the verdict.
    Whoever sees a prompt half-way could stop at a lucky half.
    """
    overlap = one.plan.overlap
    found = counted(conn, one)
    return [
        _mean(each)
        for pair, each in found.outcomes.items()
        if len(each) >= overlap or pair in found.identical
    ]


def live(conn: Connection, one: Round) -> Live | None:
    """Whether an open test may stop; None where the plan asks for a fixed number of votes."""
    if one.plan.decision != "sequential":
        return None
    full = complete_means(conn, one)
    at = evidence_by_prompt(full)
    needed = 1 / one.plan.alpha
    advice = "There is enough evidence: close the round." if at.stop else (
        f"Not enough evidence yet after {len(full)} questions: go on."
    )  # fmt: skip
    return Live(evidence=at.e, needed=needed, enough=at.stop, sentence=advice)


def _mean(outcomes: list[VoteOutcome]) -> float:
    return sum(WORTH[each] for each in outcomes) / len(outcomes)


def _sequential(found: Verdict, at: Evidence, decision: Decision, questions: int) -> str:
    rate, low, high = (100 * x for x in (found.win_rate, at.low, at.high))
    numbers = (
        f"on {questions} questions{same_answer_words(found.identical)}, it wins {rate:.1f} % on "
        f"average, {low:.1f} to {high:.1f} % in a range that holds however "
        f"often one looks (evidence {at.e:.3g}, 20 is enough; "
        f"{tally_words(found.wins, found.losses, found.ties, found.both_bad, found.identical)})"
    )
    eyes = eyes_of(found.panel)
    if decision == "no difference shown":
        return f"No difference shown between the new model and the baseline{eyes}: {numbers}."
    return f"The new model is {decision} than the baseline{eyes}: {numbers}."
