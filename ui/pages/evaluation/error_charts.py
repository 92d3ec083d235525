"""Pictures of where answers go wrong: one label for another, and long questions or short ones."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.core.evaluation import Evaluation
from engine.services.evaluation import slices, task
from engine.services.evaluation.metrics import title as metric_title
from engine.services.evaluation.slices import Confusion, length, mean_interval
from ui.components import charts, tokens
from ui.pages.evaluation.charts import SMALL, SYMBOLS, colour
from ui.pages.evaluation.render import Names

MOST_LABELS = 30  # more are not read off a picture
PALE = tokens.chart(
    "pale"
)  # the least that is not nothing: its number is read on light and on dark
BINS = 6
FEWEST = 5  # rows a point
SHORTENED = 22  # characters of a label


def labels(evaluation: Evaluation, model: str) -> Confusion | None:
    """Which label was given where another was right; None where the answers are no labels."""
    accepted = [row.references for row in evaluation.rows]
    if task.of(accepted).kind != "labels":
        return None
    counts = slices.labels(evaluation, model)
    return counts if len(counts.labels) <= MOST_LABELS else None


def confusion(counts: Confusion) -> Any:
    """A square of counts: right labels down, given ones across; the diagonal is right."""
    drawn = charts.figure()
    shown = [_short(name, n) for n, name in enumerate(counts.labels)]
    values = np.array(counts.counts)
    rows = np.maximum(values.sum(axis=1, keepdims=True), 1)
    drawn.add_trace(
        go.Heatmap(
            z=values / rows,
            x=shown,
            y=shown,
            zmin=0,
            zmax=1,
            customdata=values,
            text=np.where(values > 0, values.astype(str), ""),
            texttemplate="%{text}",
            colorscale=[[0, tokens.chart("faint")], [1e-6, PALE], [1, charts.ACCENT]],
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="right: %{y}<br>given: %{x}<br>%{customdata} rows<extra></extra>",
        )
    )
    drawn.update_layout(hovermode="closest", uirevision=str(shown), margin={"t": 12, "b": 96})
    drawn.update_xaxes(
        title={"text": "given", "font": SMALL, "standoff": 8}, showline=False, tickangle=-35
    )
    right = {"text": "right", "font": SMALL, "standoff": 12}
    drawn.update_yaxes(title=right, autorange="reversed", showgrid=False)
    return drawn


def by_length(evaluation: Evaluation, names: Names, metric: str) -> Any:
    """The mean score of questions of about the same length, with its interval, for each model."""
    sizes = np.array([length(row) for row in evaluation.rows])
    order = np.argsort(sizes, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(order) // FEWEST)))
    drawn = charts.figure()
    for n, model in enumerate(evaluation.models):
        drawn.add_trace(_line(evaluation, model, metric, sizes, bins, names[model], n))
    drawn.update_layout(hovermode="closest", showlegend=True, uirevision=metric)
    drawn.update_xaxes(
        title={"text": "characters in the question (mean of about equally many rows)",
               "font": SMALL}
    )  # fmt: skip
    drawn.update_yaxes(title={"text": metric_title(metric), "font": SMALL}, rangemode="tozero")
    return drawn


def _line(
    evaluation: Evaluation,
    model: str,
    metric: str,
    sizes: np.ndarray,
    bins: list[np.ndarray],
    name: str,
    number: int,
) -> Any:
    points = []
    for each in bins:
        scores = [evaluation.rows[row].outputs[model].scores.get(metric) for row in each]
        known = [score for score in scores if score is not None]
        if known:
            bounds = mean_interval(known)
            points.append((sizes[each].mean(), float(np.mean(known)), *bounds, len(known)))
    x, y, low, high, count = (list(each) for each in zip(*points, strict=True)) if points else (
        [], [], [], [], [],
    )  # fmt: skip
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers",
        line={"color": colour(number), "width": 2},
        marker={"size": 8, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.subtract(high, y).tolist(),
            "arrayminus": np.subtract(y, low).tolist(),
            "width": 0,
            "thickness": 1.5,
            "color": colour(number),
        },
        customdata=count,
        hovertemplate="%{y:.3f} on %{customdata} rows of about %{x:.0f} characters",
    )


def _short(name: str, number: int) -> str:
    """A label as its axis shows it; the number keeps shortened ones apart."""
    return name if len(name) <= SHORTENED else f"{name[: SHORTENED - 4]}… {number + 1}"
