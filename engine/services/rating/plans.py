"""What a round may be told beside its models and questions, and what it then can show."""

import hashlib
from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.core.errors import UserError
from engine.core.rating import Mode, Purpose
from engine.services.rating.gold import GoldPair
from engine.stats.power import detectable, wins_needed
from engine.stats.power import plan as needed

Decision = Literal["fixed", "sequential"]
ALPHA = 0.05
SURE = 0.65  # the win rate that a reader is told the cost of
FEWEST_PAIRS = 20  # that a training takes
RULES: dict[Decision, str] = {
    "fixed": "better when the interval of the win rate lies above one half and p < 0.05",
    "sequential": "better as soon as the range that holds at every look lies above one half",
}
GUIDELINES = """\
Read the question, then both answers, and choose the one that **you** would rather have got.

1. **Right** comes first: a wrong fact outweighs everything else.
2. Then: does it **answer what was asked**, and in the form that was asked for?
3. Then: is anything important **missing**?
4. Only then style. Longer is not better by itself.

**Tie**: both are good and you would take either. **Both bad**: neither should be given to anybody.
**Flag** what is unsafe, holds personal data, says which model it is, or can't be read.
"""


class Options(BaseModel):
    """How a round is rated beyond its size; the defaults are a plain round of pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Field("pair", description="Two answers, or one that is good or bad")
    decision: Decision = Field("fixed", description="A fixed number of votes, or enough evidence")
    gold: float = Field(0.0, ge=0, le=0.3, description="Share of pairs with a known answer")
    gold_pairs: tuple[GoldPair, ...] = Field((), description="Such pairs, where they are given")
    repeats: float = Field(0.0, ge=0, le=0.3, description="Share of pairs shown twice")
    practice: int = Field(0, ge=0, le=20, description="Pairs with feedback before the first vote")
    per_rater: int | None = Field(None, ge=1, le=10_000, description="Most votes a person a day")
    guidelines: str = Field(GUIDELINES, max_length=10_000, description="What raters should go by")
    spare: float = Field(
        0.0, ge=0, le=4, description="Answers written beyond those rated, to choose from"
    )


def check(purpose: Purpose, arm_new: str, arm_base: str, chosen: Options) -> None:
    """UserError for a plan that contradicts itself."""
    if purpose == "blind_eval" and arm_new == arm_base:
        raise UserError("A blind round needs two different models.", "Choose another baseline.")
    if purpose == "aa_control" and arm_new != arm_base:
        raise UserError(
            "A control round compares one model with itself.", "Choose the same model twice."
        )
    if chosen.mode == "single" and purpose != "train_pairs":
        raise UserError(
            "Single answers can be collected for training only.", "Choose pairs for this purpose."
        )
    if chosen.decision == "sequential" and purpose != "blind_eval":
        raise UserError(
            "Only a blind test of two models can stop by its evidence.",
            "Choose a fixed number of votes.",
        )
    if chosen.spare and (purpose != "train_pairs" or chosen.mode == "single"):
        raise UserError(
            "Only pairs for training may be chosen by how close they are; a test needs them all.",
            "Leave the choice of pairs to chance.",
        )


def rule(purpose: Purpose, prompts: int, chosen: Options) -> dict[str, Any]:
    """How the round is rated and judged, fixed before the first vote."""
    told: dict[str, Any] = {
        "purpose": purpose,
        "prompts": prompts,
        "alpha": ALPHA,
        "rule": RULES[chosen.decision],
        "decision": chosen.decision,
        "detectable": detectable(prompts),
        "mode": chosen.mode,
        "repeats": ceil(chosen.repeats * prompts),
        "guidelines": chosen.guidelines,
    }
    return {**told, "per_rater": chosen.per_rater} if chosen.per_rater else told


def version(guidelines: str) -> str:
    """A short name for this very text: a rater reads each version once."""
    return hashlib.sha256(guidelines.encode()).hexdigest()[:8]


def expected(purpose: Purpose, pairs: int, decision: Decision = "fixed") -> str:
    """What a round of this size can show, said before it is started."""
    if purpose == "calibration":
        return f"{pairs} practice pairs, each with its answer after the vote. None of them counts."
    if purpose == "train_pairs":
        return _of_training(pairs)
    rate, wins = detectable(pairs), wins_needed(pairs)
    if rate is None or wins is None:
        return "A blind test of fewer than 6 pairs can show nothing: take 60 or more."
    if purpose == "aa_control":
        return (
            f"A model against itself on {pairs} pairs should come out even. If it does not, your "
            f"raters or sides are biased; a bias of {ceil(100 * rate)} to "
            f"{100 - ceil(100 * rate)} or more would be seen."
        )
    said = (
        f"With {pairs} pairs this test can see a win rate of {ceil(100 * rate)} % or more, if no "
        f"vote is a tie: {wins} wins then name a winner. A smaller difference mostly stays unseen."
    )
    if pairs < (more := needed(SURE).n):
        said += f" To see one of {100 * SURE:.0f} % it takes {more} pairs."
    if decision == "sequential":
        said += (
            " Stopping by evidence ends sooner where the difference is large, and needs more votes "
            "where it is small."
        )
    return said


def _of_training(pairs: int) -> str:
    if pairs < FEWEST_PAIRS:
        return (
            f"Training needs at least {FEWEST_PAIRS} pairs with a better answer; {pairs} are too "
            "few."
        )
    return (
        f"{pairs} pairs to rate. Training needs at least {FEWEST_PAIRS} with a better answer; ties "
        "and “both bad” give none."
    )
