"""From which number on a rated answer is good: thumbs and stars have other scales."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.errors import UserError

# the highest number of a scale, where good begins and where bad ends
SCALES = ((5.0, 4.0, 2.0), (10.0, 7.0, 4.0), (100.0, 70.0, 40.0))


class Threshold(NamedTuple):
    """An answer is good from `good` on and bad up to `bad`; what lies between says neither."""

    good: float
    bad: float

    def label(self, value: float) -> bool | None:
        """True for good, False for bad, None for neither."""
        if value >= self.good:
            return True
        return False if value <= self.bad else None

    @property
    def sentence(self) -> str:
        """The threshold as a person reads it."""
        return f"Ratings from {self.good:g} on are good, up to {self.bad:g} bad."


def threshold(values: Sequence[float], good_from: float | None = None) -> Threshold:
    """By the number that a person gave, else by the scale that the values show.

    Thumbs are 1 and 0 or 1 and -1; stars 1 to 5, 1 to 10 or up to 100. UserError for others.
    """
    if good_from is not None:
        below = [value for value in values if value < good_from]
        return Threshold(good_from, max(below, default=good_from - 1))
    highest, lowest = max(values, default=1.0), min(values, default=0.0)
    if highest <= 1:
        if set(values) <= {0.0, 1.0}:
            return Threshold(1, 0)
        return Threshold(1, -1) if lowest < 0 and set(values) <= {-1.0, 0.0, 1.0} else (
            Threshold(2 / 3, 1 / 3)
        )  # fmt: skip
    for top, good, bad in SCALES:
        if highest <= top and lowest >= 0:
            return Threshold(good, bad)
    raise UserError(
        f"The ratings go from {lowest:g} to {highest:g}, which is no scale that is known.",
        "Say from which number on an answer is good.",
    )
