"""The verdict of a round: who is better by its votes, with early looks and deleted votes.

The votes are counted in vote_counts.py; the test itself is `stats/verdict.py`.
"""

import time
from statistics import fmean

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from engine.core.rating import Decision, Round, Verdict, same_answer_words, tally_words
from engine.services.rating import predictors, vote_counts
from engine.stats.sequential import Evidence, evidence_by_prompt
from engine.stats.verdict import eyes_of
from engine.stats.verdict import verdict as weigh
from engine.store import audit


class Live(BaseModel):
    """How far an open test with a sequential rule is; it tells no side."""

    model_config = ConfigDict(frozen=True)

    evidence: float
    needed: float
    enough: bool
    sentence: str


def verdict(conn: Connection, rating_round: Round) -> Verdict:
    """What the round shows, as it was decided where votes were deleted after the decision.

    A test is decided once: whoever deletes votes later must not be able to turn it.
    """
    gone = vote_counts.deleted(conn, rating_round)
    decided = next((each["verdict"] for each in gone if each["verdict"]), None)
    if decided is None:
        return weighed(conn, rating_round)
    found = Verdict.model_validate(decided)
    number = sum(each["votes"] for each in gone)
    sentence = f"This was decided with votes that have been deleted since: {number}."
    return found.model_copy(update={"sentence": f"{found.sentence} {sentence}"})


def weighed(conn: Connection, rating_round: Round) -> Verdict:
    """What the votes that are there show by the rule of the plan, unless somebody looked early.

    With a sequential rule the bounds hold at every look, p is the inverse of the evidence, and no
    other number decides. That rule also judges a round that somebody looked at before its end: a
    test for a fixed number of votes does not hold for whoever could stop at a lucky moment.
    """
    votes_of = vote_counts.counted(conn, rating_round)
    seen = vote_counts.tally(conn, rating_round, votes_of)
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
    early = looked_early(conn, rating_round)
    if rating_round.plan.decision != "sequential" and not early:
        return predictors.narrowed(conn, rating_round, found, votes_of)
    means = vote_counts.complete_means(rating_round, votes_of) if early else seen.by_prompt
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


def looked_early(conn: Connection, rating_round: Round) -> str:
    """Who looked at a blind round before its end and what follows, or an empty text."""
    looks = audit.early_looks(conn, rating_round.id)
    if not looks:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(looks[0].created_at))
    who = " and ".join(dict.fromkeys(each.who for each in looks))
    sentence = f"It was looked at early, by {who} (first on {when}). "
    if rating_round.plan.decision != "sequential":
        sentence += "The fixed-size test is not valid after an early look; the range above is. "
    return sentence + "Votes of people who saw the interim result cannot be corrected for."


def live(conn: Connection, rating_round: Round) -> Live | None:
    """Whether an open test may stop; None where the plan asks for a fixed number of votes."""
    if rating_round.plan.decision != "sequential":
        return None
    full = vote_counts.complete_means(rating_round, vote_counts.counted(conn, rating_round))
    at = evidence_by_prompt(full)
    needed = 1 / rating_round.plan.alpha
    advice = "There is enough evidence: close the round." if at.stop else (
        f"Not enough evidence yet after {len(full)} questions: go on."
    )  # fmt: skip
    return Live(evidence=at.e, needed=needed, enough=at.stop, sentence=advice)


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
