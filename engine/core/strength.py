"""The strength of a DPO model, from its start (0) to its end (1), and which one is recommended."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from engine.core.model import STRENGTH, Model

MOST_STRENGTH = 1.5
USUAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
MOST_LOST = 0.05  # of the metric, which runs from 0 to 1


class Strength(BaseModel):
    """Between which models a model lies: at `strength` on the line from `start` to `trained`."""

    model_config = ConfigDict(frozen=True)

    strength: float
    start: str
    trained: str

    @classmethod
    def of(cls, model: Model) -> "Strength | None":
        """What a model says of itself; None for one that lies between no others."""
        known = model.info.get(STRENGTH)
        return cls.model_validate(known) if isinstance(known, dict) else None


class Kept(NamedTuple):
    """A strength, and whether everything measured there is kept."""

    strength: float
    kept: bool


def recommended(stops: Sequence[Kept]) -> float:
    """The largest strength up to which all are kept; 0 where none beyond the start is.

    Not the largest that is kept by itself: of many, one is kept by chance.
    """
    found = 0.0
    for one in sorted(stops):
        if not one.kept:
            break
        found = one.strength
    return found
