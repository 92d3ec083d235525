"""Several comparisons at once: with twenty metrics, one shows a winner by luck alone."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from engine.core.evaluation import Gain

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


def adjusted(gains: Mapping[Key, Gain], level: float = 0.95) -> dict[Key, Gain]:
    """The gains with `p` allowing for their number, and winners that do not survive it taken back.

    The intervals stay those of each comparison alone. Keys are metrics, checkpoints, or both.
    """
    found = holm([gain.p for gain in gains.values()])
    return {
        key: _told(gain, p, len(gains), level)
        for (key, gain), p in zip(gains.items(), found, strict=True)
    }


def _told(gain: Gain, p: float, of: int, level: float) -> Gain:
    word, _, rest = gain.sentence.partition(": ")
    if p < 1 - level or word not in ("Better", "Worse"):
        return gain.model_copy(update={"p": p})
    sentence = (
        f"No difference shown: {rest.removesuffix('.')}; alone it would count as "
        f"{word.lower()}, but among {of} comparisons chance does as much."
    )
    return gain.model_copy(update={"p": p, "sentence": sentence})
