"""What a training is expected to take, and the changes with which it would fit."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict  # pydantic reads this one before Python 3.12

from engine.core.json_object import JsonObject
from engine.core.recipe import Tuning
from engine.core.units import duration_words, memory_words

Fit = Literal["ok", "tight", "impossible"]


class TimeRange(BaseModel):
    model_config = ConfigDict(frozen=True)

    low: float
    likely: float
    high: float


class Proposal(TypedDict, total=False):
    """The settings of a recipe that have to change; `trl` is the whole of that setting."""

    tuning: Tuning
    per_device_train_batch_size: int
    max_length: int
    trl: JsonObject


class Preflight(BaseModel):
    """Memory in bytes. `proposal` are changes of the recipe that would fit; empty when it does."""

    model_config = ConfigDict(frozen=True)

    memory: dict[str, int]
    memory_needed: int
    memory_here: dict[str, int]
    seconds: TimeRange
    basis: str
    usd: TimeRange
    steps: int
    rows: int
    verdict: Fit
    reasons: tuple[str, ...] = ()
    proposal: Proposal = Proposal()
    settings: dict[str, str] = {}
    source: str = ""  # runs, warmup or arithmetic
    uncorrected_s: float = 0.0  # before earlier misses corrected it
    refused: bool = False  # by the training itself, whatever the memory

    @property
    def sentence(self) -> str:
        """Time, memory and money in one sentence."""
        low, likely, high = map(
            duration_words, (self.seconds.low, self.seconds.likely, self.seconds.high)
        )
        cost = f" and {self.usd.likely:.2f} USD" if self.usd.high else ""
        needs = memory_words(self.memory_needed)
        return f"About {likely} ({low} to {high}), {needs} of memory{cost}; {self.basis}."


def proposal_words(proposal: Proposal) -> str:
    """The settings of a proposal by name, each with its value."""
    settings = [f"{name} {value}" for name, value in proposal.items() if name != "trl"]
    inside = [f"{name} {value}" for name, value in proposal.get("trl", {}).items()]
    return ", ".join([*settings, *inside])
