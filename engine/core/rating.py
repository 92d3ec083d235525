"""Blind rating: rounds of comparisons, votes, and what they add up to.

A comparison keeps its two answers in an order made from their hashes (`lo`, `hi`), which says
nothing about the models. An assignment decides which of the two is shown on the left.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.core.examples import Message

Purpose = Literal["train_pairs", "blind_eval"]
Choice = Literal["left", "right", "tie", "both_bad"]
Canonical = Literal["lo", "hi", "tie", "both_bad"]
RoundStatus = Literal["preparing", "open", "closed", "failed"]


class Candidate(BaseModel):
    """One model's answer to one prompt; `prompt_no` counts the round's prompts from 0."""

    model_config = ConfigDict(frozen=True)

    prompt_no: int
    prompt: tuple[Message, ...]
    references: tuple[str, ...] = ()
    model_id: str
    seed: int
    text: str
    finished: bool = True  # False: cut at the token limit, never shown


class Round(BaseModel):
    """A plan frozen before the first vote. `arm_new` is under test against `arm_base`."""

    model_config = ConfigDict(frozen=True)

    id: str
    project_id: str
    name: str
    purpose: Purpose
    arm_new: str
    arm_base: str
    plan: dict[str, Any]  # prompts, overlap, alpha, decision rule, decoding, dataset, split
    plan_sha256: str
    status: RoundStatus
    job_id: str | None = None
    created_by: str
    created_at: float
    closed_at: float | None = None


class Comparison(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    round_id: str
    position: int
    prompt: tuple[Message, ...]
    references: tuple[str, ...] = ()
    text_lo: str
    text_hi: str
    model_lo: str
    model_hi: str
    kind: Literal["normal", "identical"] = "normal"


class Shown(BaseModel):
    """All that a rater's browser ever learns of a pair."""

    model_config = ConfigDict(frozen=True)

    token: str
    prompt_html: str
    left_html: str
    right_html: str
    done: int  # votes of this rater in this round
    total: int  # comparisons of the round that this rater can vote on
    can_undo: bool


class Tally(BaseModel):
    """Votes of a round from the side of `arm_new`; `by_prompt`: each prompt's mean in [0, 1]."""

    model_config = ConfigDict(frozen=True)

    wins: int
    losses: int
    ties: int
    both_bad: int
    raters: int
    prompts: int
    left: int  # votes for the left side, whatever stood there
    right: int
    by_prompt: tuple[float, ...]
