"""Charts: one look for all, readable on light and on dark."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from engine.core.event import MetricEvent
from ui.components.tokens import chart

MUTED = chart("ink")
GRID = chart("grid")
ACCENT = chart("accent")
GOOD = chart("good")
WARN = chart("warn")
BAD = chart("bad")
CLEAR = chart("clear")
FONT = "IBM Plex Sans, sans-serif"


def figure(height: int | None = None) -> Any:
    """An empty figure in the look of the app: transparent, a faint grid, the legend on top."""
    drawn = go.Figure()
    drawn.update_layout(
        template="none",
        height=height,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"family": FONT, "size": 13, "color": MUTED},
        margin={"l": 56, "r": 16, "t": 36, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="x unified",
        hoverlabel={
            "bgcolor": chart("label"),
            "font": {"color": chart("on-label"), "family": FONT},
        },
        uirevision="kept",
    )
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "automargin": True}
    drawn.update_xaxes(**axis, showgrid=False, showline=True)
    drawn.update_yaxes(**axis)
    return drawn


def loss_curves(events: Sequence[MetricEvent]) -> Any:
    """Training loss and held-out loss over the steps, the lowest held-out loss marked."""
    drawn = figure()
    steps, values = points(events, "loss")
    drawn.add_trace(
        go.Scatter(
            x=steps,
            y=values,
            name="training",
            mode="lines",
            line={"color": MUTED, "width": 1.4},
            hovertemplate="%{y:.3f}",
        )
    )
    steps, values = points(events, "eval_loss")
    drawn.add_trace(
        go.Scatter(
            x=steps,
            y=values,
            name="held out",
            mode="lines+markers",
            line={"color": ACCENT, "width": 2.6},
            marker={"size": 8},
            hovertemplate="%{y:.3f}",
        )
    )
    if values:
        _mark_lowest(drawn, steps, values)
    drawn.update_xaxes(title_text="step")
    drawn.update_yaxes(title_text="loss (lower is better)")
    return drawn


def points(events: Sequence[MetricEvent], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of one metric."""
    found = [(event.step or 0, float(event.data[name])) for event in events if name in event.data]
    return [step for step, _ in found], [value for _, value in found]


def _mark_lowest(drawn: Any, steps: list[int], values: list[float]) -> None:
    """Mark the lowest held-out loss after the start: the state that a finished run keeps."""
    trained = [n for n, step in enumerate(steps) if step > 0]
    if not trained:
        return
    lowest = min(trained, key=values.__getitem__)
    drawn.add_trace(  # the legend has the number: over the chart it would hide the curves
        go.Scatter(
            x=[steps[lowest]],
            y=[values[lowest]],
            name=f"best: {values[lowest]:.3f}",
            mode="markers",
            marker={"size": 17, "symbol": "circle-open", "color": ACCENT, "line": {"width": 2}},
            hoverinfo="skip",
        )
    )
