"""Which of several answers to one prompt are shown: those that share the fewest words.

A vote on two answers that say the same teaches nothing, and one that was cut is shown to nobody.
Only answers that ended and say something are chosen among, while there are two of them.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from engine.core.rating import Candidate


def two(written: Sequence[Candidate]) -> tuple[Candidate, Candidate]:
    """The two answers to show of those to one prompt, in the order they were written.

    With answers of two models it is one of each. Both tell in their details how many were written
    and their difference. Of equal differences the pair that was written first is taken.
    """
    models = {each.model_id for each in written}
    pairs = [
        pair
        for pair in combinations(written, 2)
        if len(models) == 1 or pair[0].model_id != pair[1].model_id
    ]
    first, second = max(pairs, key=lambda pair: (_shown(pair), difference(*pair)))
    apart = round(difference(first, second), 4)
    details = {**first.details, "written": len(written), "difference": apart}
    return first.model_copy(update={"details": details}), second.model_copy(
        update={"details": details}
    )


def several(written: Sequence[Candidate], most: int) -> list[Candidate]:
    """Up to `most` answers to rank, in the order they were written: `two`, then those unlike them.

    Each further answer is the one that differs most from its nearest among those taken; equal and
    cut ones are left out, so there may be two or three.
    """
    taken = list(two(written))
    details = taken[0].details
    open_ = [each for each in written if each.finished and each.text.strip()]
    while len(taken) < most:
        nearest = [min(difference(each, one) for one in taken) for each in open_]
        apart = max(nearest, default=0.0)
        if not apart:
            break
        new = open_.pop(nearest.index(apart))
        taken.append(new.model_copy(update={"details": details}))
    places = {(each.model_id, each.seed): n for n, each in enumerate(written)}
    return sorted(taken, key=lambda each: places[each.model_id, each.seed])


def difference(first: Candidate, second: Candidate) -> float:
    """From 0, the same words as often, to 1, no word in common: 1 less the F1 of their words."""
    one, other = Counter(first.text.split()), Counter(second.text.split())
    total = one.total() + other.total()
    return 1 - 2 * (one & other).total() / total if total else 0.0


def _shown(pair: tuple[Candidate, Candidate]) -> int:
    """How many of the two can be shown."""
    return sum(each.finished and bool(each.text.strip()) for each in pair)
