"""Pictures of an evaluation: scores with their intervals, and gains row by row."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.core.evaluation import Evaluation, Mean
from engine.core.evaluation_sentences import baseline_title
from engine.services.evaluation.answers import gain
from engine.services.evaluation.metrics import title as metric_title
from ui.components import charts, tokens
from ui.pages.evaluation.render import Names

SERIES = (charts.ACCENT, charts.WARN, tokens.chart("violet"), charts.BAD)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
HOLLOW = ("circle-open", "diamond-open", "square-open")
SMALL = {"size": 13}
BARS = 21  # odd: the middle one is "no change"


def intervals(evaluation: Evaluation, names: Names) -> Any:
    """One line a metric: a point and its 95 % interval for every model, the first in grey.

    Below them, small and hollow, what needs no model.
    """
    drawn = charts.figure()
    count = len(evaluation.models)
    metrics = list(reversed(evaluation.metrics))  # the first on top
    for n, model in enumerate(evaluation.models):
        offset = ((count - 1) / 2 - n) * min(0.24, 0.6 / count)
        places = [place + offset for place in range(len(metrics))]
        means = {metric_title(metric): evaluation.means[model][metric] for metric in metrics}
        drawn.add_trace(_points(means, places, names[model], n))
    _add_plain(drawn, evaluation, metrics)
    drawn.update_layout(uirevision="intervals", hovermode="closest", showlegend=True)
    drawn.update_xaxes(title={"text": "score, higher is better", "font": SMALL}, rangemode="tozero")
    drawn.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(metrics))),
        ticktext=[metric_title(metric) for metric in metrics],
        range=[-0.7, len(metrics) - 0.4],
        showgrid=False,
        zeroline=False,
    )
    return drawn


def _add_plain(drawn: Any, evaluation: Evaluation, metrics: list[str]) -> None:
    for n, (plain, means) in enumerate(evaluation.baselines.items()):
        places = [place - 0.34 - 0.07 * n for place, each in enumerate(metrics) if each in means]
        known = {metric_title(metric): means[metric] for metric in metrics if metric in means}
        points = _points(known, places, baseline_title(plain), 0)
        points.update(
            marker={"size": 8, "symbol": HOLLOW[n % len(HOLLOW)], "color": charts.MUTED},
            error_x={"thickness": 1},
        )
        drawn.add_trace(points)


def _points(means: dict[str, Mean], places: list[float], name: str, number: int) -> Any:
    return go.Scatter(
        x=[mean.score for mean in means.values()],
        y=places,
        mode="markers",
        name=name,
        marker={"size": 10, "color": colour(number), "symbol": SYMBOLS[number % len(SYMBOLS)]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [mean.high - mean.score for mean in means.values()],
            "arrayminus": [mean.score - mean.low for mean in means.values()],
            "color": colour(number),
            "thickness": 2,
            "width": 0,
        },
        customdata=[[mean.low, mean.high, metric] for metric, mean in means.items()],
        hovertemplate="%{customdata[2]} %{x:.3f} (95 %: %{customdata[0]:.3f} to "
        "%{customdata[1]:.3f})",
    )


def gain_histogram(evaluation: Evaluation, model: str, metric: str) -> Any:
    """How many rows gained or lost how much against the first model."""
    base = evaluation.models[0]
    gains = [gain(row, base, model, metric) for row in evaluation.rows]
    known = np.array([each for each in gains if each is not None], dtype=float)
    edges = _edges(known)
    counts, _ = np.histogram(known, bins=edges)
    middles = (edges[:-1] + edges[1:]) / 2
    middle = len(counts) // 2
    tones = [charts.BAD] * middle + [charts.MUTED] + [charts.GOOD] * middle
    drawn = charts.figure()
    drawn.add_trace(
        go.Bar(
            x=middles,
            y=counts,
            width=np.diff(edges) * 0.88,
            marker={"color": tones, "cornerradius": 3},
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            hovertemplate="%{y} rows: %{customdata[0]:+.2f} to %{customdata[1]:+.2f}"
            "<extra></extra>",
        )
    )
    drawn.update_layout(
        bargap=0, showlegend=False, hovermode="closest", uirevision=f"{model} {metric}"
    )
    drawn.update_xaxes(
        title={"text": "gain of a row; left of 0 it did worse", "font": SMALL}, tickformat="+.2f"
    )
    drawn.update_yaxes(title={"text": "rows", "font": SMALL})
    return drawn


def colour(number: int) -> str:
    """Grey for the baseline, the accent for the first tuned model, then others."""
    return charts.MUTED if number == 0 else SERIES[(number - 1) % len(SERIES)]


def _edges(gains: np.ndarray) -> np.ndarray:
    """Bins of equal width around a middle one that holds zero."""
    most = float(np.abs(gains).max()) if len(gains) else 0.0
    reach = max(most, 0.05) * BARS / (BARS - 1)
    return np.linspace(-reach, reach, BARS + 1)
