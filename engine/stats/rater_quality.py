"""Which raters to look at: gold items, repeats, sides, and votes against all others.

Every flag here is a reason for a person to look, never to delete votes unseen.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import exp, log

from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.stats.agreement import noise_rate
from engine.stats.camps import Camps, camps
from engine.stats.intervals import wilson
from engine.stats.rated_pairs import RatedPair, between, counted, hash_order_score
from engine.stats.side_bias import position_by_rater

EXPECTED = 0.75  # a careful rater's share of right gold answers is at least this
FIRST_CHECK = 5  # gold answers before anybody is judged by them
OTHERS = 5  # raters who voted on a pair before a rater can be called unlike them
_Side = tuple[tuple[str, str], bool]


class Gold(BaseModel):
    """`upper` is the one-sided 95 % bound of the share of right answers; `pause` asks a person."""

    model_config = ConfigDict(frozen=True)

    right: int
    of: int
    upper: float
    pause: bool
    sentence: str


class Consistency(BaseModel):
    """How often a pair shown again, with sides swapped, got the same vote.

    `decided` of them had a winner both times. `noise` is the least share of votes with a winner
    that are flipped, from those alone: a tie once and a winner once is no contradiction.
    """

    model_config = ConfigDict(frozen=True)

    same: int
    of: int
    share: float | None
    low: float
    high: float
    noise: float | None
    sentence: str
    decided: int = 0


class RaterQuality(BaseModel):
    """One rater; `strange` is the anomaly test's evidence, 20 and more a flag.

    `reasons` says in words why somebody should look; empty where nothing is odd.
    """

    model_config = ConfigDict(frozen=True)

    rater: str
    votes: int
    left_share: float
    new_share: float | None
    gold: Gold
    repeats: Consistency
    strange: float
    reasons: tuple[str, ...]


class Quality(BaseModel):
    """All raters, those with a reason to look first; `camps` is None without a model to ask for."""

    model_config = ConfigDict(frozen=True)

    raters: tuple[RaterQuality, ...]
    camps: Camps | None
    sentence: str


def assess_gold(right: int, of: int) -> Gold:
    """Whether a rater's answers to gold items ask for a pause.

    They do from the fifth on, where even the upper bound of Wilson's one-sided 95 % interval is
    below 75 %: at most 2 of 5, 3 of 8, 5 of 10, 6 of 12 or 11 of 20 right. UserError for counts
    that cannot be.
    """
    if not 0 <= right <= of:
        raise UserError(f"{right} of {of} gold answers cannot be right.", "Correct the counts.")
    if of == 0:
        return Gold(right=0, of=0, upper=1.0, pause=False, sentence="No gold item answered yet.")
    upper = wilson(right / of, of, 0.9).high
    pause = of >= FIRST_CHECK and upper < EXPECTED
    found = f"{right} of {of} gold items right"
    text = f"Pause and talk to this rater: only {found}." if pause else f"{found[:1]}{found[1:]}."
    return Gold(right=right, of=of, upper=upper, pause=pause, sentence=text)


def consistency(
    same: int, of: int, decided: int | None = None, contradicted: int | None = None
) -> Consistency:
    """What repeats say of a rater; UserError for counts that cannot be.

    Of the repeats `decided` had a winner both times, `contradicted` another one: all, and those
    that are not the same, where no vote is a tie.
    """
    decided = of if decided is None else decided
    contradicted = decided - same if contradicted is None else contradicted
    if not 0 <= same <= of or not 0 <= contradicted <= decided <= of:
        raise UserError(f"{same} of {of} repeats cannot be the same.", "Correct the counts.")
    if of == 0:
        return Consistency(
            same=0, of=0, share=None, low=0.0, high=1.0, noise=None,
            sentence="No comparison was shown twice yet.",
        )  # fmt: skip
    bounds, kept = wilson(same / of, of), 1 - contradicted / decided if decided else None
    noise = noise_rate(kept)
    if kept is None:
        implied = "none had a winner both times"
    elif noise is None:
        implied = f"{contradicted} of {decided} with a winner both times contradict each other"
    else:
        implied = f"at least {noise * 100:.0f} % flipped ({contradicted} of {decided} contradicted)"
    return Consistency(
        same=same, of=of, share=same / of, low=bounds.low, high=bounds.high, noise=noise,
        sentence=f"The same vote on {same} of {of} comparisons shown twice: {implied}.",
        decided=decided,
    )  # fmt: skip


def repeats(rated: Sequence[RatedPair]) -> dict[str, Consistency]:
    """Each rater's consistency over pairs of models voted on twice for one prompt."""
    first: dict[tuple[object, ...], int] = {}
    same, of = Counter[str](), Counter[str]()
    decided, contradicted = Counter[str](), Counter[str]()
    for pair in rated:
        if pair.expected is None and pair.two_models:
            key, value = (pair.rater, pair.prompt, pair.pair), hash_order_score(pair)
            if key in first:
                of[pair.rater] += 1
                same[pair.rater] += first[key] == value
                decided[pair.rater] += bool(first[key] and value)
                contradicted[pair.rater] += first[key] * value < 0
            first.setdefault(key, value)
    return {
        rater: consistency(same[rater], of[rater], decided[rater], contradicted[rater])
        for rater in of
    }


def strangeness(rated: Sequence[RatedPair]) -> dict[str, float]:
    """The most evidence at any time that a rater votes unlike all the others.

    Where q is the others' share of votes for the rarer side of a pair of models (its one-sided
    95 % bound, as few votes say little), a vote for it multiplies the evidence by 1 / 2q, any other
    vote with a winner by 1/2. It passes 20 for an honest rater with a probability of at most 5 %,
    and stays at 1 where fewer than five others voted on the pair. Its limit: the others define
    what is normal, so it finds nothing where a third of all raters cheat, or where models win about
    equally often; gold items are the first defence. Source: FastChat's outlier test, binary form.
    """
    own: dict[str, list[RatedPair]] = {}
    for vote in counted(rated):
        if vote.left_score != 0.5 and vote.two_models:
            own.setdefault(vote.rater, []).append(vote)
    sides = {rater: Counter(map(_side, each)) for rater, each in own.items()}
    whole, raters = Counter[_Side](), Counter[tuple[str, str]]()
    for mine in sides.values():
        whole.update(mine)
        raters.update({pair for pair, _ in mine})
    return {
        rater: _most_evidence(
            [_side(vote) for vote in each if raters[vote.pair] > OTHERS],
            whole - sides[rater],
        )
        for rater, each in own.items()
    }


def _side(vote: RatedPair) -> _Side:
    """The pair of models, and whether its first won."""
    return vote.pair, vote.score(vote.pair[0]) == 1


def _most_evidence(sides: Sequence[_Side], others: Counter[_Side]) -> float:
    steps = {side: _step(others[side], others[side[0], not side[1]]) for side in set(sides)}
    sums = accumulate((steps[side] for side in sides), initial=0.0)
    return exp(min(700.0, max(sums)))


def _step(agree: int, differ: int) -> float:
    """The log factor of a vote that `agree` votes of the others share and `differ` do not."""
    share = wilson(agree / (agree + differ), agree + differ, 0.9).high if agree + differ else 1.0
    return -log(2 * share) if share < 0.5 else log(0.5)


def gold_by_rater(rated: Sequence[RatedPair]) -> dict[str, Gold]:
    """Each rater's standing on the gold items among these votes."""
    right, of = Counter[str](), Counter[str]()
    for pair in rated:
        if pair.expected is not None:
            of[pair.rater] += 1
            right[pair.rater] += pair.choice == pair.expected
    return {rater: assess_gold(right[rater], of[rater]) for rater in of}


def quality(rated: Sequence[RatedPair], new: str | None = None, alpha: float = 0.05) -> Quality:
    """Every rater with the reasons to look at them; `new` is the model whose win rate to compare.

    UserError without a vote, or without one on `new`.
    """
    if not rated:
        raise UserError("There is no vote.", "Rate some comparisons first.")
    gold, again, strange = gold_by_rater(rated), repeats(rated), strangeness(rated)
    sides = {one.rater: one for one in position_by_rater(rated)}
    wins = _wins(between(rated, new), new) if new is not None else {}
    votes = Counter(pair.rater for pair in counted(rated))
    found = [
        _rater(
            rater, votes[rater], wins.get(rater, (0, 0)),
            sides[rater].share if rater in sides else 0.5,
            gold.get(rater, assess_gold(0, 0)), again.get(rater, consistency(0, 0)),
            strange.get(rater, 1.0), rater in sides and sides[rater].biased, alpha,
        )
        for rater in dict.fromkeys(pair.rater for pair in rated)
    ]  # fmt: skip
    found.sort(key=lambda one: (-len(one.reasons), one.rater))
    groups = camps(wins) if new is not None else None
    return Quality(raters=tuple(found), camps=groups, sentence=_sentence(found, groups))


def _wins(rated: Sequence[RatedPair], new: str) -> dict[str, tuple[int, int]]:
    wins, of = Counter[str](), Counter[str]()
    for vote in counted(rated):
        if vote.left_score != 0.5:
            of[vote.rater] += 1
            wins[vote.rater] += vote.score(new) == 1
    return {rater: (wins[rater], of[rater]) for rater in of}


def _rater(
    rater: str,
    votes: int,
    wins: tuple[int, int],
    left_share: float,
    gold: Gold,
    again: Consistency,
    strange: float,
    one_sided: bool,
    alpha: float,
) -> RaterQuality:
    reasons = []
    if gold.pause:
        reasons.append(f"only {gold.right} of {gold.of} gold items right")
    if one_sided:
        reasons.append(f"{left_share * 100:.0f} % of votes with a winner went left")
    if again.of >= FIRST_CHECK and again.high < EXPECTED:
        reasons.append(f"the same vote on only {again.same} of {again.of} comparisons shown twice")
    if strange >= 1 / alpha:
        reasons.append("votes unlike all the others")
    return RaterQuality(
        rater=rater, votes=votes, left_share=left_share,
        new_share=wins[0] / wins[1] if wins[1] else None,
        gold=gold, repeats=again, strange=strange, reasons=tuple(reasons),
    )  # fmt: skip


def _sentence(found: Sequence[RaterQuality], groups: Camps | None) -> str:
    odd = [one for one in found if one.reasons]
    people = f"{len(found)} rater{'s' if len(found) != 1 else ''}"
    text = f"Nothing odd was found among {people}."
    if odd:
        named = "; ".join(f"{one.rater} ({', '.join(one.reasons)})" for one in odd[:5])
        more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
        text = f"Look at {len(odd)} of {people}: {named}{more}."
    return f"{text} {groups.sentence}" if groups is not None and groups.split else text
