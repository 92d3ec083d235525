"""What the held-out loss does as the training rows grow, and would do on."""

from pydantic import BaseModel, ConfigDict


class Point(BaseModel):
    """Mean held-out loss at one size, with a 95 % interval of Student's t."""

    model_config = ConfigDict(frozen=True)

    size: int
    mean: float
    low: float
    high: float
    n: int


class Law(BaseModel):
    """loss = floor + scale * size ** -exponent."""

    model_config = ConfigDict(frozen=True)

    floor: float
    scale: float
    exponent: float

    def at(self, size: float) -> float:
        """The loss that the law expects at this size."""
        return float(self.floor + self.scale * size**-self.exponent)


class LearningCurve(BaseModel):
    """`gain` is how much lower twice the data would make the loss; its bounds hold 95 %."""

    model_config = ConfigDict(frozen=True)

    points: tuple[Point, ...]
    law: Law
    gain: float
    gain_low: float
    gain_high: float
    worth_it: bool
    sentence: str = ""
