"""What the held-out loss does as the training rows grow, and would do on."""

from enum import StrEnum
from math import exp, log

from pydantic import BaseModel, ConfigDict


class Point(BaseModel):
    """Mean held-out loss at one size, with a 95 % interval of Student's t."""

    model_config = ConfigDict(frozen=True)

    size: int
    mean: float
    low: float
    high: float
    n: int


class Shape(StrEnum):
    """How the loss falls with the rows: all of them gain less at each doubling."""

    POWER = "power"
    LOGARITHM = "logarithm"
    EXPONENTIAL = "exponential"


class Law(BaseModel):
    """The curve that fits best.

    power: floor + scale * size ** -exponent; logarithm: floor - scale * ln(size); exponential:
    floor + scale * exp(-size / rows).
    """

    model_config = ConfigDict(frozen=True)

    floor: float
    scale: float
    exponent: float = 0.0
    rows: float = 1.0
    shape: Shape = Shape.POWER

    def at(self, size: float) -> float:
        """The loss that the law expects at this size."""
        if self.shape is Shape.LOGARITHM:
            return float(self.floor - self.scale * log(size))
        if self.shape is Shape.EXPONENTIAL:
            return float(self.floor + self.scale * exp(-size / self.rows))
        return float(self.floor + self.scale * size**-self.exponent)


class MoreData(StrEnum):
    """What a learning curve says about twice the rows."""

    WORTH = "worth collecting"
    MAYBE = "may be worth collecting"
    HARDLY = "hardly worth collecting"
    NOT_SHOWN = "no gain shown"
    HARMS = "more rows did not help"
    NO_CURVE = "no smooth curve"


class LastDoubling(BaseModel):
    """How much lower each doubling from `before` to `rows` made the loss, with a 95 % interval."""

    model_config = ConfigDict(frozen=True)

    before: int
    rows: int
    drop: float
    low: float
    high: float


class LearningCurve(BaseModel):
    """`gain` is how much lower twice the data would make the loss; its bounds hold 95 %.

    `decision` and `last_doubling` are None in curves that 0.1.0 stored.
    """

    model_config = ConfigDict(frozen=True)

    points: tuple[Point, ...]
    law: Law
    gain: float
    gain_low: float
    gain_high: float
    worth_it: bool
    decision: MoreData | None = None
    last_doubling: LastDoubling | None = None
    sentence: str = ""
