"""The predictor that the plan of a blind round registers, and the verdict with it.

It is a rule that reads the two answers of a question, so it needs no vote of the round. The reward
head read them as they were written; it learned votes of other rounds on other questions, so no vote
predicts itself. The further questions of
the plan were answered and shown to nobody. How both make an interval is decided in
`stats/prediction_powered.py`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from engine import plugins
from engine.core.rating import Comparison, PredictorRule, Round, Verdict
from engine.services.rating import vote_counts
from engine.services.rating.vote_counts import Counted
from engine.stats.prediction_powered import Predictions, with_predictor
from engine.store import rounds

OVERLAP = "token_f1"  # the metric of answers and references


class _Pair(NamedTuple):
    """The two answers to a question, as the arms of the round wrote them."""

    new: str
    base: str
    references: tuple[str, ...]
    lead: float = 0.0  # of the new answer over the other by the reward head, in log-odds


def narrowed(conn: Connection, rating_round: Round, found: Verdict, votes: Counted) -> Verdict:
    """The verdict with the predictor of the plan; as it is where the plan has none."""
    if rating_round.plan.predictor == "none":
        return found
    pairs = {each.id: each for each in rounds.comparisons(conn, rating_round.id)}
    voted = list(votes.outcomes)
    further = [each for each in pairs.values() if each.kind == "further"]
    predict = RULES[rating_round.plan.predictor]
    given = Predictions(
        [vote_counts.mean(votes.outcomes[each]) for each in voted],
        predict([_pair(rating_round, pairs[each]) for each in voted]),
        predict([_pair(rating_round, each) for each in further]),
    )
    return with_predictor(found, given, alpha=rating_round.plan.alpha)


def _pair(rating_round: Round, found: Comparison) -> _Pair:
    texts = (found.answer_a, found.answer_b)
    scores = found.details.get("scores", [0.0, 0.0])
    lead = scores[0] - scores[1]
    if found.model_a == rating_round.arm_new:
        return _Pair(*texts, found.references, lead)
    return _Pair(*texts[::-1], found.references, -lead)


def _length(pairs: Sequence[_Pair]) -> list[float]:
    """How much longer the new answer is, as a share of both: from -1 to 1."""
    return [
        (len(each.new) - len(each.base)) / max(1, len(each.new) + len(each.base)) for each in pairs
    ]


def _overlap(pairs: Sequence[_Pair]) -> list[float]:
    """How many more words the new answer shares with the reference (F1): from -1 to 1.

    A question without a reference has 0.
    """
    known = [number for number, each in enumerate(pairs) if each.references]
    found = [0.0] * len(pairs)
    if known:
        score = plugins.load("metrics", OVERLAP)
        references = [pairs[number].references for number in known]
        new = score([pairs[number].new for number in known], references).each
        base = score([pairs[number].base for number in known], references).each
        for number, first, second in zip(known, new, base, strict=True):
            found[number] = first - second
    return found


def _head(pairs: Sequence[_Pair]) -> list[float]:
    """How much likelier raters prefer the new answer than the other: from -1 to 1.

    By the votes that the reward head learned; 0 for equal answers and for those without a score.
    """
    return [0.0 if each.new == each.base else float(np.tanh(each.lead / 2)) for each in pairs]


RULES: dict[PredictorRule, Callable[[Sequence[_Pair]], list[float]]] = {
    "length": _length,
    "overlap": _overlap,
    "head": _head,
}
