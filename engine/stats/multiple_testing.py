"""Several comparisons at once: with twenty metrics, one shows a winner by luck alone."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from engine.core.evaluation import Gain, GainDecision, gain_decision
from engine.core.evaluation_sentences import ROWS, Measured, Unit, of_chance

Key = TypeVar("Key")


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each p allowing for all of them, in the same order: the family-wise error stays below alpha.

    Holds for metrics that depend on one another. Source: Holm 1979, Scand. J. Stat. 6:65.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return tuple(adjusted)


def adjusted(gains: Mapping[Key, Gain], level: float = 0.95, unit: Unit = ROWS) -> dict[Key, Gain]:
    """The gains with `p` allowing for their number, and winners that do not survive it taken back.

    The intervals stay those of each comparison alone. Keys are metrics, checkpoints, or both.
    """
    p_values = holm([gain.p for gain in gains.values()])
    return {
        key: _allowing(gain, p, len(gains), level, unit)
        for (key, gain), p in zip(gains.items(), p_values, strict=True)
    }


def _allowing(gain: Gain, p: float, of: int, level: float, unit: Unit) -> Gain:
    """`gain` with a `p` that allows for `of` comparisons, and the decision that follows."""
    if p < 1 - level or gain.decision not in (GainDecision.BETTER, GainDecision.WORSE):
        return gain.model_copy(update={"p": p})
    decision = gain_decision(gain.low, gain.high, p, gain.n, level)
    measured = Measured(gain.diff, gain.low, gain.high, gain.n, level)
    sentence = of_chance(decision, gain.decision, measured, of, unit)
    return gain.model_copy(update={"p": p, "decision": decision, "sentence": sentence})
