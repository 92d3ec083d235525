"""Scores answers by every metric asked for, leaving failed ones out and counting them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import plugins
from engine.core.errors import UserError
from engine.core.evaluation import Gain, Mean
from engine.core.score import Scores
from engine.metrics import exact_match, squad
from engine.metrics.input_check import References, check
from engine.stats.intervals import deciding, mean_interval, pseudo_values
from engine.stats.paired import paired_gain

Answers = Sequence[str | None]  # None: the model failed to answer


class Scored(NamedTuple):
    """A metric over all rows; `each` and `parts` have None for a failed row."""

    mean: Mean
    each: tuple[float | None, ...]
    parts: tuple[tuple[float, ...] | None, ...] | None = None


def find(name: str) -> Any:
    """The metric of that name, or "name:argument" for one that is told something or has options."""
    kind, _, argument = name.partition(":")
    if kind in plugins.names("metric_factories"):
        return plugins.load("metric_factories", kind)(argument)
    if not argument or kind not in plugins.names("metrics"):
        return plugins.load("metrics", name)
    metric = plugins.load("metrics", kind)
    if not hasattr(metric, "with_options"):
        raise UserError(f"The metric {kind} takes no options.", f"Ask for {kind} alone.")
    return metric.with_options(argument)


def refuse(names: Sequence[str], references: References) -> None:
    """Raise the UserError of a metric that cannot use these references, before a model is asked."""
    for name in names:
        find(name)([""] * len(references), references)


def score_all(
    names: Sequence[str], predictions: Answers, references: References
) -> dict[str, Mean]:
    """Each metric over the rows that did not fail, bounded at 95 %."""
    return {name: score_rows(name, predictions, references).mean for name in names}


def score_rows(name: str, predictions: Answers, references: References) -> Scored:
    """One metric over the rows that did not fail; nothing is known (0 to 1) where all did.

    UserError when the row counts differ or a row has no reference, failed or not.
    """
    return score_with(find(name), predictions, references)


def score_with(metric: Any, predictions: Answers, references: References) -> Scored:
    """As `score_rows`, for a metric that has no name here."""
    check([text or "" for text in predictions], references)
    rows = [place for place, text in enumerate(predictions) if text is not None]
    failed = len(predictions) - len(rows)
    if not rows:
        return Scored(Mean(score=0, low=0, high=1, n=0, failed=failed), (None,) * failed)
    if hasattr(metric, "from_parts"):
        return _from_parts(metric, predictions, references)
    scores: Scores = metric(
        [text for text in predictions if text is not None], [references[row] for row in rows]
    )
    each = dict(zip(rows, scores.each, strict=True))
    mean = _mean(scores.overall, scores.each, failed, scores.signature)
    return Scored(mean, tuple(each.get(place) for place in range(len(predictions))))


def _from_parts(metric: Any, predictions: Answers, references: References) -> Scored:
    """A corpus score; failed rows are shown to the metric, then left out.

    Parts of two models must mean the same (a label's place, a tokenizer), whichever rows failed.
    """
    scores: Scores = metric([text or "" for text in predictions], references)
    both = list(zip(predictions, scores.each, scores.parts or (), strict=True))
    each = tuple(None if text is None else score for text, score, _ in both)
    parts = tuple(None if text is None else part for text, _, part in both)
    kept = [part for part in parts if part is not None]
    overall = float(metric.from_parts(np.sum(kept, axis=0)))
    added = pseudo_values(kept, metric.from_parts)
    mean = _mean(overall, added, len(parts) - len(kept), scores.signature)
    return Scored(mean, each, parts)


def _mean(
    score: float, each: Sequence[float] | NDArray[np.float64], failed: int, signature: str
) -> Mean:
    """`score` with the bounds of the mean of `each`: rows' scores, or what they add to it."""
    bounds = mean_interval(each)
    return Mean(
        score=score,
        low=min(bounds.low, score),
        high=max(bounds.high, score),
        n=len(each),
        failed=failed,
        signature=signature,
        deciding=deciding(each),
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
        from_parts=find(name).from_parts,
        level=level,
    )


def equal_in_squad(references: References) -> tuple[str, str] | None:
    """Two references that SQuAD's normalisation makes equal, such as "5" and "-5"; None without."""
    first: dict[str, str] = {}
    for text in dict.fromkeys(text for accepted in references for text in accepted):
        other = first.setdefault(squad.normal(text), text)
        if exact_match.normal(other) != exact_match.normal(text):
            return other, text
    return None
