"""What an evaluation found: every answer, every score, and how sure each mean is."""

from pydantic import BaseModel, ConfigDict

from engine.core.examples import Message


class Output(BaseModel):
    """One model's answer to one row. A failed answer has no scores: it is counted, not scored 0."""

    model_config = ConfigDict(frozen=True)

    text: str
    failed: str | None = None
    tokens: int = 0
    seconds: float = 0.0
    scores: dict[str, float] = {}


class EvaluatedRow(BaseModel):
    model_config = ConfigDict(frozen=True)

    index: int  # of the row in its dataset
    prompt: tuple[Message, ...]
    references: tuple[str, ...]
    outputs: dict[str, Output]  # by model id


class Mean(BaseModel):
    """A metric over all rows: 0 to 1, higher is better; `low` and `high` bound it at 95 %."""

    model_config = ConfigDict(frozen=True)

    score: float
    low: float
    high: float
    n: int
    failed: int = 0
    signature: str = ""


class Gain(BaseModel):
    """`score` of a model minus the score of the first model, on the rows both answered."""

    model_config = ConfigDict(frozen=True)

    diff: float
    low: float
    high: float
    p: float
    n: int
    sentence: str


class Evaluation(BaseModel):
    """`models` in the order asked, the baseline first. Keys: model id, then metric name."""

    model_config = ConfigDict(frozen=True)

    dataset_id: str
    split: str
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    means: dict[str, dict[str, Mean]]
    gains: dict[str, dict[str, Gain]]  # not for the first model
    speed: dict[str, dict[str, float]]  # tokens_per_s, p50_s, p95_s, seconds, usd_per_1000
    decoding: dict[str, float | int | str]
    rows: tuple[EvaluatedRow, ...]
