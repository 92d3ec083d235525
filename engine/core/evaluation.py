"""The result of an evaluation: every answer, every score, and how sure each mean is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from engine.core.examples import Message

FEW_ROWS = 20  # fewer tell little of a difference or of a slice, however they lie
FEW_DECIDING = 3.5  # rows; where fewer do, intervals of 20 rows may hold the truth 88 times in 100
ENOUGH_DECIDING = 10  # rows that should decide a score
MARGIN = 0.05  # of scores from 0 to 1: a check holds where a larger loss is ruled out
WIDE_PERPLEXITY = 1.5  # from the lower bound to the upper: beyond, an interval tells little
MOST_PERPLEXITY = 1.25  # times as perplexed by the references
SHORTEST, LONGEST = 0.6, 1.6  # times as long


class Output(BaseModel):
    """One model's answer to one row. A failed answer has no scores: it is counted, not scored 0.

    `cut` where it reached the longest length. `seconds` is the row's share of its batch, `first_s`
    and `last_s` when its first and last token were there, from the start of the batch. `nats` is
    how unlikely the model finds the first reference of `reference_tokens` tokens.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    text: str
    failed: str | None = None
    cut: bool = False
    tokens: int = 0
    seconds: float = 0.0
    first_s: float = 0.0
    last_s: float = 0.0
    # written in an earlier evaluation; the times are those of that one
    cached: bool = Field(False, validation_alias=AliasChoices("cached", "remembered"))
    nats: float | None = None
    reference_tokens: int = 0
    scores: dict[str, float] = {}


class EvaluatedRow(BaseModel):
    model_config = ConfigDict(frozen=True)

    index: int  # of the row in its dataset
    prompt: tuple[Message, ...]
    references: tuple[str, ...]
    outputs: dict[str, Output]  # by model id


class Mean(BaseModel):
    """A metric over all rows: 0 to 1, higher is better; `low` and `high` bound it at 95 %.

    `deciding` is how many rows decide it, None where nobody counted.
    """

    model_config = ConfigDict(frozen=True)

    score: float
    low: float
    high: float
    n: int
    failed: int = 0
    signature: str = ""
    deciding: float | None = None

    @property
    def few_decide(self) -> bool:
        """Whether so few rows decide the score that its interval may be too narrow.

        A score of before the deciding rows were counted is so below FEW_ROWS rows.
        """
        if self.deciding is None:
            return 0 < self.n < FEW_ROWS
        return self.n > 0 and self.deciding < FEW_DECIDING


class GainDecision(StrEnum):
    """Whether a test shows a difference between two models."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    TOO_FEW = "too_few"  # rows to tell


def gain_decision(low: float, high: float, p: float, n: int, level: float = 0.95) -> GainDecision:
    """The decision of a paired test on a metric: a winner where p and the interval both show one.

    The rule for votes is `stats/verdict.py`. This one stands here because evaluations of version
    0.1 hold no decision and get it when they are read.
    """
    if p < 1 - level and low > 0:
        return GainDecision.BETTER
    if p < 1 - level and high < 0:
        return GainDecision.WORSE
    return GainDecision.TOO_FEW if n < FEW_ROWS else GainDecision.NO_DIFFERENCE


class Gain(BaseModel):
    """`score` of a model minus the score of the first model, on the rows both answered.

    `low` and `high` bound `diff` at 95 %; `p` allows for the comparisons made beside this one, and
    so does `decision`. `sentence` says the same in words (core/evaluation_sentences.py).
    """

    model_config = ConfigDict(frozen=True)

    diff: float
    low: float
    high: float
    p: float
    n: int
    decision: GainDecision
    sentence: str

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, stored: Any) -> Any:
        """Evaluations of version 0.1 hold no decision: it follows from their numbers."""
        if isinstance(stored, Mapping) and "decision" not in stored:
            low, high, p, n = map(stored.get, ("low", "high", "p", "n"))
            if low is not None and high is not None and p is not None and n is not None:
                return {**stored, "decision": gain_decision(low, high, p, n)}
        return stored


class Perplexity(BaseModel):
    """How surprised a model is by the references, 1 or more; lower is better. Bounds at 95 %."""

    model_config = ConfigDict(frozen=True)

    score: float
    low: float
    high: float
    tokens: int
    n: int

    @property
    def caution(self) -> str:
        """A warning where the interval is too wide to tell models apart; else nothing."""
        if self.high <= WIDE_PERPLEXITY * self.low:
            return ""
        return (
            f"The interval is wide ({self.low:,.2f} to {self.high:,.2f}): a few of the {self.n:,} "
            "rows decide it. Evaluate more rows before you compare."
        )


class AnswerSpeed(BaseModel):
    """How fast one model answered, failed answers left out; times in seconds from a batch's start.

    `p50_s` and `p95_s` are of a row's share of its batch, `first_` and `last_` of its first and
    last token. `cached` answers were written in an earlier evaluation and keep its times.
    `peak_mb` is 0 where memory was not measured.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    seconds: float = 0.0
    tokens_per_s: float = 0.0
    p50_s: float = 0.0
    p95_s: float = 0.0
    first_p50_s: float = 0.0
    first_p95_s: float = 0.0
    last_p50_s: float = 0.0
    last_p95_s: float = 0.0
    usd_per_1000: float = 0.0
    cached: int = Field(0, validation_alias=AliasChoices("cached", "remembered"))
    peak_mb: float = 0.0


class RegressionAnswer(StrEnum):
    """What a regression check shows: absence of evidence is not evidence of absence."""

    REGRESSED = "regressed"
    NOT_SHOWN = "not_shown"  # no loss is shown, and none is ruled out
    HELD = "held"  # shown to have lost less than the margin


class RegressionCheck(BaseModel):
    """A quality that a further training should not have harmed, before and after it.

    `low` and `high` bound the change at 95 %: `after` minus `before`, or, where `ratio`, `after`
    divided by it. `message` is of the numbers; `sentence` ends with the answer.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    model: str
    compared_with: str
    regressed: bool
    before: float
    after: float
    low: float
    high: float
    ratio: bool
    message: str

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, stored: Any) -> Any:
        return _renamed(stored, "fell", "regressed")

    @property
    def answer(self) -> RegressionAnswer:
        """Of the three answers the one that the bounds give; the same for stored checks."""
        if self.regressed:
            return RegressionAnswer.REGRESSED
        if self.id == "perplexity":
            held = self.high <= MOST_PERPLEXITY
        elif self.ratio:
            held = self.low >= SHORTEST and self.high <= LONGEST
        else:
            held = self.low >= -MARGIN
        return RegressionAnswer.HELD if held else RegressionAnswer.NOT_SHOWN

    @property
    def sentence(self) -> str:
        """The numbers and what they show, with the loss that is not ruled out."""
        numbers = self.message.removesuffix("no regression shown.").rstrip(": .")
        if self.answer is RegressionAnswer.REGRESSED:
            return self.message
        if self.answer is RegressionAnswer.HELD:
            most = (
                f"at most {MOST_PERPLEXITY:g} times as high"
                if self.id == "perplexity"
                else f"{SHORTEST:g} to {LONGEST:g} times as long"
                if self.ratio
                else f"a loss of more than {MARGIN:g} is ruled out"
            )
            return f"{numbers}: holds, {most}."
        if self.id == "perplexity":
            most = f"may be {self.high:.2f} times as high"
        elif self.ratio:
            most = f"may be {self.low:.2f} to {self.high:.2f} times as long"
        else:
            most = f"may have lost as much as {-self.low:.2f}"
        return f"{numbers}: no loss shown, but it {most}."


class Overlap(BaseModel):
    """Rows asked that a model was trained on: `rows` say the same, `near` nearly the same.

    Both are row numbers of the dataset, counted from 0, the first 50 of `count` and `near_count`.
    """

    model_config = ConfigDict(frozen=True)

    count: int
    near_count: int
    rows: tuple[int, ...] = ()
    near: tuple[int, ...] = ()
    asked: int
    compared: int  # training rows looked through
    message: str


class Evaluation(BaseModel):
    """`models` in the order asked, the baseline first. Keys: model id, then metric name.

    The `p` and the sentence of `gains` allow for the number of comparisons. `baselines` are what
    needs no model: "baseline:copy", "baseline:frequent", "baseline:nearest".
    """

    model_config = ConfigDict(frozen=True)

    dataset_id: str
    split: str
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    means: dict[str, dict[str, Mean]]
    gains: dict[str, dict[str, Gain]]  # not for the first model
    speed: dict[str, AnswerSpeed]
    decoding: dict[str, float | int | str]
    rows: tuple[EvaluatedRow, ...]
    baselines: dict[str, dict[str, Mean]] = {}
    over_baselines: dict[str, dict[str, dict[str, Gain]]] = {}  # model, baseline, metric
    perplexity: dict[str, Perplexity] = {}
    regression_checks: tuple[RegressionCheck, ...] = ()
    overlap: Overlap | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, stored: Any) -> Any:
        return _renamed(stored, "guard", "regression_checks")


def _renamed(stored: Any, old: str, new: str) -> Any:
    """Stored JSON with a field under its new name, where it stands under the old one."""
    if not isinstance(stored, Mapping) or old not in stored:
        return stored
    rest = {name: value for name, value in stored.items() if name != old}
    return {new: stored[old], **rest}
