"""Scores answers by every metric asked for, leaving failed ones out and counting them."""

from collections.abc import Sequence
from typing import NamedTuple

from engine import plugins
from engine.core.errors import UserError
from engine.core.evaluation import Gain, Mean
from engine.core.score import Scores
from engine.metrics.checked import References, check
from engine.stats.intervals import bootstrap_from_parts, mean_interval
from engine.stats.paired import paired_gain

Answers = Sequence[str | None]  # None: the model failed to answer


class Scored(NamedTuple):
    """A metric over all rows; `each` and `parts` have None for a failed row."""

    mean: Mean
    each: tuple[float | None, ...]
    parts: tuple[tuple[float, ...] | None, ...] | None = None


def score_all(
    names: Sequence[str], predictions: Answers, references: References
) -> dict[str, Mean]:
    """Each metric over the rows that did not fail, bounded at 95 %."""
    return {name: score_rows(name, predictions, references).mean for name in names}


def score_rows(name: str, predictions: Answers, references: References) -> Scored:
    """One metric over the rows that did not fail; nothing is known (0 to 1) where all did.

    UserError when the row counts differ or a row has no reference, failed or not.
    """
    check([text or "" for text in predictions], references)
    rows = [place for place, text in enumerate(predictions) if text is not None]
    failed = len(predictions) - len(rows)
    if not rows:
        return Scored(Mean(score=0, low=0, high=1, n=0, failed=failed), (None,) * failed)
    metric = plugins.load("metrics", name)
    scores: Scores = metric(
        [text for text in predictions if text is not None], [references[row] for row in rows]
    )
    if scores.parts is None:
        bounds = mean_interval(scores.each)
    else:
        bounds = bootstrap_from_parts(scores.parts, metric.from_parts)
    low, high = min(bounds.low, scores.overall), max(bounds.high, scores.overall)
    mean = Mean(
        score=scores.overall, low=low, high=high, n=len(rows), failed=failed,
        signature=scores.signature,
    )  # fmt: skip
    each, parts = dict(zip(rows, scores.each, strict=True)), scores.parts
    spread = None if parts is None else dict(zip(rows, parts, strict=True))
    places = range(len(predictions))
    return Scored(
        mean,
        tuple(each.get(place) for place in places),
        None if spread is None else tuple(spread.get(place) for place in places),
    )


def gain(name: str, base: Scored, new: Scored, level: float = 0.95) -> Gain:
    """The new model's score minus the base's on the rows both answered."""
    if len(base.each) != len(new.each):
        raise UserError("The models answered different rows.", "Evaluate them on the same rows.")
    pairs = [(a, b) for a, b in zip(base.each, new.each, strict=True) if None not in (a, b)]
    base_each, new_each = (
        [a for a, _ in pairs if a is not None],
        [b for _, b in pairs if b is not None],
    )
    if base.parts is None or new.parts is None:
        return paired_gain(base_each, new_each, level=level)
    both = [(a, b) for a, b in zip(base.parts, new.parts, strict=True) if a and b]
    return paired_gain(
        base_each,
        new_each,
        base_parts=[a for a, _ in both],
        new_parts=[b for _, b in both],
        from_parts=plugins.load("metrics", name).from_parts,
        level=level,
    )
