"""Regression checks after a training: the model against the one it started from.

A check says "regressed" only for a change that is both more than chance (Holm over the checks of a
model) and large enough to matter (LEAST). It says "held" only where a loss above the margin is
ruled out (`RegressionCheck.answer`), and else how much may have been lost.
"""

import re
from collections.abc import Sequence
from math import exp, log
from statistics import fmean
from typing import NamedTuple

from engine import plugins
from engine.core.evaluation import (
    LONGEST,
    MOST_PERPLEXITY,
    SHORTEST,
    GainDecision,
    Output,
    RegressionCheck,
)
from engine.core.model import Model
from engine.jobs.perplexity import HIGHEST, perplexity, ratio
from engine.metrics.descriptions import title as metric_title
from engine.metrics.score import Scored, gain
from engine.stats.intervals import pseudo_values, student
from engine.stats.multiple_testing import adjusted
from engine.stats.paired import paired_gain

SCORES = ("exact_match", "bleu", "rougeL")
LEAST = 0.03  # of scores from 0 to 1
REFUSAL = re.compile(
    r"(i'?m|i am) (very |so |really )?(sorry|afraid|unable)|i apologi[sz]e|i (can'?t|cannot|won'?t)"
    r" (help|assist|answer|provide|do|fulfil)|as an ai\b|i (do not|don'?t) have (access|the abil)",
    re.IGNORECASE,
)
SHARES = {
    "fresh": "The share of word runs that are no repetition",
    "answered": "The share of answers that are not empty",
    "willing": "The share of answers that are no refusal",
}


class Side(NamedTuple):
    """One model's answers and how they scored, all in the order of the rows."""

    model: str
    outputs: Sequence[Output]
    scored: dict[str, Scored]


def started_from(model: Model, models: Sequence[str]) -> str | None:
    """Which of `models` a further training of `model` began with; None for a first lesson.

    Supervised training of a base is meant to change its answers, so it is not checked.
    """
    if model.parent_id is None and model.info.get("method") in (None, "sft"):
        return None
    start = model.parent_id or model.base_id
    return start if start in models else None


def compare(
    before: Side, after: Side, references: Sequence[Sequence[str]]
) -> list[RegressionCheck]:
    """The checks in a fixed order; none where no row was answered by both."""
    rows = [
        n
        for n, (a, b) in enumerate(zip(before.outputs, after.outputs, strict=True))
        if a.failed is None and b.failed is None
    ]
    if not rows:
        return []
    old, new = ([side.outputs[n] for n in rows] for side in (before, after))
    accepted = [references[n] for n in rows]
    found = [*_scores(before, after, old, new, accepted), _length(old, new)]
    surprise = _surprise(old, new)
    found += [surprise] if surprise else []
    sides = {"model": after.model, "compared_with": before.model}
    return [each.model_copy(update=sides) for each in found]


def _scores(
    before: Side,
    after: Side,
    old: Sequence[Output],
    new: Sequence[Output],
    references: Sequence[Sequence[str]],
) -> list[RegressionCheck]:
    asked = [name for name in SCORES if name in before.scored]
    values = {
        name: (before.scored[name].mean.score, after.scored[name].mean.score) for name in asked
    }
    gains = {name: gain(name, before.scored[name], after.scored[name]) for name in asked}
    ways = {"fresh": _fresh, "answered": _answered, "willing": _willing}
    for name, way in ways.items():
        first, second = way(old, references), way(new, references)
        values[name] = fmean(first), fmean(second)
        gains[name] = paired_gain(first, second)
    found = []
    for name, one in adjusted(gains).items():
        regressed = one.decision is GainDecision.WORSE and one.diff <= -LEAST
        a, b = values[name]
        about = SHARES.get(name) or metric_title(name)
        found.append(
            _check(
                name,
                regressed,
                (a, b),
                (one.low, one.high),
                f"{about}: {a:.2f} to {b:.2f}",
            )
        )
    return found


def _length(old: Sequence[Output], new: Sequence[Output]) -> RegressionCheck:
    parts = [(float(a.tokens), float(b.tokens)) for a, b in zip(old, new, strict=True)]
    before, after = (fmean(column) for column in zip(*parts, strict=True))
    bounds = student(pseudo_values(parts, _growth))
    low, high = (exp(min(bound, HIGHEST)) for bound in bounds)
    regressed = high < SHORTEST or low > LONGEST
    change = f"Answers of {before:.0f} tokens became {after:.0f}"
    return _check("length", regressed, (before, after), (low, high), change, ratio=True)


def _growth(totals: Sequence[float]) -> float:
    """The log of how many times as long; answers of no token count as one."""
    return log(max(totals[1], 1.0) / max(totals[0], 1.0))


def _surprise(old: Sequence[Output], new: Sequence[Output]) -> RegressionCheck | None:
    both = [
        ((a.nats, a.reference_tokens), (b.nats, b.reference_tokens))
        for a, b in zip(old, new, strict=True)
        if a.nats is not None and b.nats is not None
    ]
    if not both:
        return None
    a, b = [first for first, _ in both], [second for _, second in both]
    before, after = perplexity(a).score, perplexity(b).score
    low, high = ratio(a, b)
    change = f"Perplexity of the reference answers: {before:.1f} to {after:.1f}"
    regressed = low > MOST_PERPLEXITY
    return _check("perplexity", regressed, (before, after), (low, high), change, ratio=True)


def _check(
    name: str,
    regressed: bool,
    values: tuple[float, float],
    bounds: tuple[float, float],
    change: str,
    ratio: bool = False,
) -> RegressionCheck:
    end = "regressed." if regressed else "no regression shown."
    return RegressionCheck(
        id=name,
        model="",
        compared_with="",
        regressed=regressed,
        before=values[0],
        after=values[1],
        low=bounds[0],
        high=bounds[1],
        ratio=ratio,
        message=f"{change}: {end}",
    )


def _fresh(outputs: Sequence[Output], references: Sequence[Sequence[str]]) -> list[float]:
    texts = [output.text for output in outputs]
    return list(plugins.load("metrics", "repetition")(texts, references).each)


def _answered(outputs: Sequence[Output], _: Sequence[Sequence[str]]) -> list[float]:
    return [float(bool(output.text.strip())) for output in outputs]


def _willing(outputs: Sequence[Output], _: Sequence[Sequence[str]]) -> list[float]:
    """1 where the first 200 characters hold no phrase English models refuse with."""
    texts = (
        output.text[:200].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") for output in outputs
    )
    return [float(not REFUSAL.search(text)) for text in texts]
