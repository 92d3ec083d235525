"""What raters prefer, learned from their votes: the pairs, the head, and what both show.

A reward head is a linear function of the state that a frozen base has at the end of an answer. It
is stored as plain numbers with the base and the votes that it comes from.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.core.examples import Message

FEWEST_QUESTIONS = 20
HEAD_FILE = "reward_head.json"  # in the folder of the job that made it
LEAST_ACCURACY = 0.6  # of held-out votes: a head below teaches more errors than it saves reading
Refusal = Literal["", "few", "chance", "length"]


class VotedPair(BaseModel):
    """Two answers of which raters prefer `chosen`; `reasons` are those of the votes behind it.

    Questions of one `family` say nearly the same. The pairs of one ranking share a `weight` of 1.
    """

    model_config = ConfigDict(frozen=True)

    prompt: tuple[Message, ...]
    references: tuple[str, ...] = ()
    chosen: str
    rejected: str
    family: str
    weight: float = 1.0
    reasons: tuple[str, ...] = ()


class VotedPairs(BaseModel):
    """The pairs of rating rounds; `sha256` hashes all that was read to make them."""

    model_config = ConfigDict(frozen=True)

    pairs: tuple[VotedPair, ...]
    rounds: tuple[str, ...]
    votes: tuple[str, ...]  # ids
    sha256: str


class RewardHead(BaseModel):
    """The score of an answer is the product of `weights` with its state: log-odds, from no zero.

    Only differences between answers to one question mean anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str  # id of the model whose states it reads
    base_fingerprint: str
    weights: tuple[float, ...] = Field(min_length=1, max_length=65_536)
    rounds: tuple[str, ...]
    votes: tuple[str, ...]
    votes_sha256: str


class Accuracy(BaseModel):
    """A share of votes with the bounds of its mean over questions (95 %)."""

    model_config = ConfigDict(frozen=True)

    share: float
    low: float
    high: float


class TeamPreference(BaseModel):
    """A feature of answers, or a reason that raters gave, as far as it tells their choice.

    `agreement` is the share of held-out votes that go the way the other votes go, among the
    `questions` whose answers differ in it. `p` allows for all features and reasons (Holm); where
    it is not below .05 chance explains it, and it does not `stand`. `means` is the feature that
    best tells the votes with this reason.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["feature", "reason"]
    name: str
    title: str
    agreement: Accuracy | None
    questions: int
    p: float
    stands: bool
    means: str = ""
