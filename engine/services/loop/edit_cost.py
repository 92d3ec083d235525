"""What it still costs to use the answers: how much of them raters changed, round by round."""

from collections import defaultdict
from statistics import fmean

from pydantic import BaseModel, ConfigDict
from rapidfuzz.distance import Levenshtein
from sqlalchemy import Connection

from engine.core.actor import Actor, Role
from engine.core.rating import Comparison, Round, VoteDetails
from engine.services import access
from engine.services.rating import paused_raters
from engine.services.rating.vote_reading import Judgement, judgement
from engine.stats.intervals import mean_interval
from engine.store import pair_exports, rounds, votes
from engine.store.connect import reading
from engine.workspace import Workspace


class EditCost(BaseModel):
    """Of one round: the mean share of an answer's characters that a rater changes to use it.

    An edit costs its Levenshtein distance over the length of the longer text (code points), an
    answer that a rater would accept as it is costs nothing, and votes that say neither are not
    counted. `improved` and `accepted` count votes. The mean is over questions, with the bounds of
    a mean of scores (95 %).
    """

    model_config = ConfigDict(frozen=True)

    round_id: str
    round_name: str
    model_id: str
    improved: int
    accepted: int
    questions: int
    share: float
    low: float
    high: float


def edit_costs(ws: Workspace, actor: Actor, project_id: str) -> list[EditCost]:
    """The rounds that collect preferences, oldest first, without those that nobody edited in."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        collecting = [
            one
            for one in reversed(rounds.list_all(conn, project_id))
            if one.purpose == "train_pairs" and one.mode == "pair"
        ]
        remarks = pair_exports.remarks(conn, [one.id for one in collecting])
        found = [_of_round(conn, one, remarks) for one in collecting] if remarks else []
    return [one for one in found if one and one.improved]


def _of_round(
    conn: Connection, rating_round: Round, remarks: dict[str, VoteDetails]
) -> EditCost | None:
    """None where no vote of the round says what it would cost."""
    paused = paused_raters.paused(conn, rating_round.id)
    judged = [
        (vote.comparison_id, judgement(vote, remarks[vote.vote_id]))
        for vote in votes.live(conn, [rating_round.id])
        if vote.vote_id in remarks and vote.rater not in paused
    ]
    if not judged:
        return None
    texts = {each.id: each for each in rounds.comparisons(conn, rating_round.id)}
    costs: dict[str, list[float]] = defaultdict(list)
    improved = accepted = 0
    for comparison_id, given in judged:
        cost = _cost(texts[comparison_id], given)
        if cost is not None:
            costs[comparison_id].append(cost)
            improved += given.edit is not None
            accepted += given.edit is None
    if not costs:
        return None
    means = [fmean(each) for each in costs.values()]
    bounds = mean_interval(means)
    return EditCost(
        round_id=rating_round.id,
        round_name=rating_round.name,
        model_id=rating_round.arm_new,
        improved=improved,
        accepted=accepted,
        questions=len(means),
        share=fmean(means),
        low=bounds.low,
        high=bounds.high,
    )


def _cost(shown: Comparison, judged: Judgement) -> float | None:
    """The share of the characters that the rater changed; None where the vote does not say."""
    if judged.edit:
        before = shown.answer_a if judged.edit.answer == "a" else shown.answer_b
        return Levenshtein.normalized_distance(before, judged.edit.text)
    return 0.0 if any(yes for _, yes in judged.liked) else None
