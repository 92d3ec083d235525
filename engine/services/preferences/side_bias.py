"""Votes for one side of the screen: they say nothing about the answers, so no pair is made of them.

Sides are dealt evenly, so whoever looks at the answers picks left about half of the time. Votes are
one-sided where 85 % or more of those with a winner name one side and that is no chance: the exact
binomial test, at p < .001 shared out among all raters and the votes together. `manifest` warns of
less.
"""

from collections import defaultdict
from collections.abc import Sequence

from engine.core.errors import UserError
from engine.stats.side_bias import position_bias
from engine.store.votes import LiveVote

SHARE = 0.85
ALPHA = 0.001
EVERYBODY = ""


def refuse(votes: Sequence[LiveVote]) -> None:
    """UserError where a rater, or all together, only ever pick one side."""
    found = find_one_sided(votes)
    if not found:
        return
    sides, who = next(iter(found.values())), " and ".join(name for name in found if name)
    left, right = sides.count("left"), sides.count("right")
    side, number = ("left", left) if left > right else ("right", right)
    if who:
        raise UserError(
            f"{who} picked the {side} answer {number} of {len(sides)} times: that says where an "
            "answer stood, not which is better."
            if len(found) == 1
            else f"{who} nearly always picked the same side: that says where an answer stood, not "
            "which is better.",
            f"Pause {who} under “Raters and flags” in each round they rated, let others vote, then "
            "make the pairs again.",
        )
    raise UserError(
        f"{number} of {len(sides)} votes name the {side} answer: that says where an answer stood, "
        "not which is better.",
        "Look at “Raters and flags”, pause who always picks one side, let others vote, then make "
        "the pairs again.",
    )


def find_one_sided(votes: Sequence[LiveVote]) -> dict[str, list[str]]:
    """The sides that each one-sided rater picked; under EVERYBODY those of all, if no rater is."""
    by_rater: dict[str, list[str]] = defaultdict(list)
    for vote in votes:
        if vote.side is not None:
            by_rater[vote.rater].append(vote.side)
    alpha = ALPHA / (len(by_rater) + 1)
    found = {rater: sides for rater, sides in by_rater.items() if _is(sides, alpha)}
    everybody = [side for sides in by_rater.values() for side in sides]
    return found or ({EVERYBODY: everybody} if _is(everybody, alpha) else {})


def _is(sides: Sequence[str], alpha: float) -> bool:
    left, right = sides.count("left"), sides.count("right")
    if max(left, right) < SHARE * len(sides) or not sides:
        return False
    return position_bias(left, right, alpha).biased
