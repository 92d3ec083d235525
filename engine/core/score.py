"""What a metric returns. Scores run from 0 to 1, higher is better."""

from pydantic import BaseModel, ConfigDict


class Scores(BaseModel):
    """`overall` is the corpus score (for BLEU not the mean of the rows), `each` one score a row.

    `parts` holds each row's sufficient statistics where the corpus score is not a mean; the
    metric's function then has an attribute `from_parts(totals)` that turns their sums into a score,
    so that an interval never has to score a text twice.
    """

    model_config = ConfigDict(frozen=True)

    overall: float
    each: tuple[float, ...]
    signature: str
    parts: tuple[tuple[float, ...], ...] | None = None
