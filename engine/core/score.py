"""What a metric returns, and how it describes itself. Scores run from 0 to 1, higher is better."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

Metric = TypeVar("Metric", bound=Callable[..., Any])
# the answers that a metric suits; a guard watches over what a training may harm
MetricGroup = Literal["labels", "short", "json", "text", "meaning", "guard", "installed"]


def described(title: str, group: MetricGroup, summary: str) -> Callable[[Metric], Metric]:
    """Mark a metric, or a factory of metrics, with its TITLE, its GROUP and its SUMMARY.

    Page, command and reports read them (engine/metrics/descriptions.py). The summary is one or two
    sentences that a reader without training in statistics understands.
    """

    def mark(metric: Metric) -> Metric:
        vars(metric).update(TITLE=title, GROUP=group, SUMMARY=summary)
        return metric

    return mark


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
