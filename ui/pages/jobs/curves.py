"""The curves of a training: its losses, and for DPO how clearly it prefers the better answers."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from engine.core.event import MetricEvent
from ui.components import charts

SMALL = {"size": 13}
RATE, NORM = "learning_rate", "grad_norm"
MARGIN, RIGHT = "rewards/margins", "rewards/accuracies"
RANKED = {
    "domain": [0.0, 0.44],
    "title": {"text": "pairs ranked correctly", "font": SMALL},
    "tickformat": ".0%",
    "range": [-0.05, 1.08],
    "gridcolor": charts.GRID,
    "zeroline": False,
    "anchor": "x",
}


def losses(metrics: Sequence[MetricEvent], run: str) -> Any:
    """Training loss, held-out loss and the checkpoint that is kept."""
    drawn = charts.loss_curves(metrics)
    drawn.update_layout(uirevision=run)
    return drawn


def has_preferences(metrics: Sequence[MetricEvent]) -> bool:
    """Whether a run says how it tells better answers from worse ones."""
    return any(MARGIN in event.data or f"eval_{MARGIN}" in event.data for event in metrics)


def preferences(metrics: Sequence[MetricEvent], run: str) -> Any:
    """Reward margin over the steps; below, where a run compares pairs, the share told apart."""
    drawn = charts.figure()
    pairs = any(RIGHT in event.data or f"eval_{RIGHT}" in event.data for event in metrics)
    curves = ((MARGIN, "y", "margin"), (RIGHT, "y2", "told apart"))
    for name, axis, title in curves if pairs else curves[:1]:
        steps, values = charts.points(metrics, name)
        drawn.add_trace(_line(steps, values, axis, f"{title}, training", faint=True))
        steps, values = charts.points(metrics, f"eval_{name}")
        drawn.add_trace(_line(steps, values, axis, f"{title}, held out", faint=False))
    drawn.update_layout(
        uirevision=run,
        yaxis={
            "domain": [0.56 if pairs else 0.0, 1.0],
            "title": {"text": "reward margin", "font": SMALL},
        },
        xaxis={"title": {"text": "step", "font": SMALL}, "anchor": "y2" if pairs else "y"},
        showlegend=False,
    )
    if pairs:
        drawn.update_layout(yaxis2=RANKED)
    return drawn


def has_rates(metrics: Sequence[MetricEvent]) -> bool:
    """Whether a run says how large its steps are."""
    return any(RATE in event.data or NORM in event.data for event in metrics)


def rates(metrics: Sequence[MetricEvent], run: str) -> Any:
    """Two curves one above the other over the steps: learning rate, and length of the gradient."""
    drawn = charts.figure()
    for name, axis, title in ((RATE, "y", "learning rate"), (NORM, "y2", "gradient norm")):
        steps, values = charts.points(metrics, name)
        drawn.add_trace(_line(steps, values, axis, title, faint=True, exact="%{y:.3g}"))
    drawn.update_layout(
        uirevision=run,
        yaxis={
            "domain": [0.56, 1.0],
            "title": {"text": "learning rate", "font": SMALL},
            "exponentformat": "e",
        },
        yaxis2={
            "domain": [0.0, 0.44],
            "title": {"text": "gradient norm", "font": SMALL},
            "gridcolor": charts.GRID,
            "zeroline": False,
            "anchor": "x",
        },
        xaxis={"title": {"text": "step", "font": SMALL}, "anchor": "y2"},
        showlegend=False,
    )
    return drawn


def _line(
    x: list[int], y: list[float], axis: str, name: str, *, faint: bool, exact: str = "%{y:.3f}"
) -> Any:
    return go.Scatter(
        x=x,
        y=y,
        yaxis=axis,
        name=name,
        mode="lines" if faint else "lines+markers",
        line={"color": charts.MUTED if faint else charts.ACCENT, "width": 1.2 if faint else 2.4},
        marker={"size": 7},
        hovertemplate=exact,
    )
