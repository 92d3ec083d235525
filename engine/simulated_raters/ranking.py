"""A ranking of several answers by a rater who compares two."""

import random
from collections.abc import Callable, Sequence
from itertools import combinations

from engine.core.rating import Choice

Judge = Callable[[str, str, Sequence[str], random.Random], Choice]


def rank(
    judge: Judge, answers: Sequence[str], references: Sequence[str], rng: random.Random
) -> tuple[Choice | None, tuple[int, ...]]:
    """(None, the rank of each answer as it stands), or (tie or both_bad, nothing) for all of them.

    The judge compares each two answers, the first on the left; an answer ranks by how many it beats
    less how many beat it (Copeland's score), so slips of the judge need not agree with each other.
    """
    points = [0] * len(answers)
    found = []
    for one, other in combinations(range(len(answers)), 2):
        choice = judge(answers[one], answers[other], references, rng)
        found.append(choice)
        sign = {"left": 1, "right": -1}.get(choice, 0)
        points[one] += sign
        points[other] -= sign
    if all(choice == "both_bad" for choice in found):
        return "both_bad", ()
    if len(set(points)) == 1:
        return "tie", ()
    order = sorted(set(points), reverse=True)
    return None, tuple(1 + order.index(each) for each in points)
