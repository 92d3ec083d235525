"""Whether raters favour a side of the screen."""

from collections.abc import Sequence

import scipy
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.stats.intervals import p_words
from engine.stats.rated_pairs import RatedPair, counted

SIDE_ALPHA = 0.01  # with many raters, 5 % would flag an honest one every time


class PositionBias(BaseModel):
    """`share` is the part of the one-sided votes that went left, 0.5 where there are none."""

    model_config = ConfigDict(frozen=True)

    left: int
    right: int
    share: float
    p: float
    biased: bool
    sentence: str


def position_bias(left: int, right: int, alpha: float = SIDE_ALPHA) -> PositionBias:
    """An exact test of whether votes fall on both sides alike; UserError for negative counts."""
    if left < 0 or right < 0:
        raise UserError("Votes cannot be negative.", "Give the numbers of left and right votes.")
    n = left + right
    if n == 0:
        text = "No vote for either side yet."
        return PositionBias(left=0, right=0, share=0.5, p=1.0, biased=False, sentence=text)
    p = float(scipy.stats.binomtest(left, n).pvalue)
    biased = p < alpha
    found = f"{left} of {n} votes went to the left answer ({p_words(p)})"
    text = f"Position bias: {found}." if biased else f"No position bias shown: {found}."
    return PositionBias(left=left, right=right, share=left / n, p=p, biased=biased, sentence=text)


class RaterPosition(PositionBias):
    rater: str


def position_of(rated: Sequence[RatedPair], alpha: float = SIDE_ALPHA) -> PositionBias:
    """The position bias of a whole round; gold items and repeats are left out."""
    sides = [pair.choice for pair in counted(rated)]
    return position_bias(sides.count("left"), sides.count("right"), alpha)


def position_by_rater(rated: Sequence[RatedPair], alpha: float = SIDE_ALPHA) -> list[RaterPosition]:
    """Each rater's position bias, the most surprising first."""
    sides: dict[str, list[str]] = {}
    for pair in counted(rated):
        sides.setdefault(pair.rater, []).append(pair.choice)
    found = [
        RaterPosition(
            rater=rater,
            **position_bias(own.count("left"), own.count("right"), alpha).model_dump(),
        )
        for rater, own in sides.items()
    ]
    return sorted(found, key=lambda one: (one.p, one.rater))
