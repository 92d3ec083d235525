"""What a metric returns. Scores run from 0 to 1, higher is better."""

from pydantic import BaseModel, ConfigDict


class Scores(BaseModel):
    """`overall` is the corpus score (BLEU: not the mean of the rows); None in `each` is a failure."""

    model_config = ConfigDict(frozen=True)

    overall: float
    each: tuple[float | None, ...]
    signature: str
