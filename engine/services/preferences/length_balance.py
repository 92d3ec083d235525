"""Pairs from which a model cannot learn length: for each longer chosen answer, a shorter one."""

from bisect import bisect_left
from collections.abc import Sequence
from math import log

from engine.services.preferences.rules import PreferencePair


def balanced(pairs: Sequence[PreferencePair]) -> list[PreferencePair]:
    """The pairs that are left, in their order: equal lengths, and two of opposite kinds at a time.

    A pair whose chosen answer is longer is kept with one whose chosen answer is shorter by nearly
    as much, as the ratio of their characters says. The largest differences of the rarer kind choose
    first; what finds no partner is left out. The same pairs give the same result.
    """
    ratios = [log((len(pair.chosen) + 1) / (len(pair.rejected) + 1)) for pair in pairs]
    longer = [place for place, ratio in enumerate(ratios) if ratio > 0]
    shorter = [place for place, ratio in enumerate(ratios) if ratio < 0]
    few, many = sorted((shorter, longer), key=len)
    free = sorted((abs(ratios[place]), place) for place in many)
    kept = {place for place, ratio in enumerate(ratios) if ratio == 0}
    for place in sorted(few, key=lambda each: (-abs(ratios[each]), each)):
        partner = _nearest(free, abs(ratios[place]))
        kept |= {place, free.pop(partner)[1]}
    return [pairs[place] for place in sorted(kept)]


def _nearest(free: Sequence[tuple[float, int]], size: float) -> int:
    """Where the free pair with the most alike difference stands; `free` is sorted, not empty."""
    right = bisect_left(free, (size, -1))
    if right == len(free):
        return right - 1
    if right and size - free[right - 1][0] <= free[right][0] - size:
        return right - 1
    return right
