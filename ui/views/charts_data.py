"""Pictures of the Data tab."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ui.charts import ACCENT, MUTED, figure

BARS = 40


def lengths(tokens: Sequence[int], longest: int) -> Any:
    """How many rows have how many tokens, with a line at the length beyond which rows are cut."""
    counts, edges = np.histogram(tokens, bins=_edges(tokens))
    drawn = figure()
    drawn.add_trace(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges) * 0.9,
            marker={"color": ACCENT, "cornerradius": 2},
            customdata=np.stack([edges[:-1], edges[1:] - 1], axis=1),
            hovertemplate="%{y} rows of %{customdata[0]:.0f} to %{customdata[1]:.0f} tokens"
            "<extra></extra>",
        )
    )
    if max(tokens) > longest / 2:
        drawn.add_vline(x=longest, line={"dash": "dot", "color": MUTED, "width": 1})
        drawn.add_annotation(
            x=longest, y=1, yref="paper", text=f"cut at {longest}", showarrow=False, xanchor="left"
        )
    drawn.update_layout(bargap=0, showlegend=False, uirevision="lengths")
    drawn.update_xaxes(title_text="tokens in a row")
    drawn.update_yaxes(title_text="rows")
    return drawn


def _edges(tokens: Sequence[int]) -> np.ndarray:
    """Whole numbers, so that no bar lies between two counts."""
    step = max(1, -(-(max(tokens) - min(tokens) + 1) // BARS))
    return np.arange(min(tokens), max(tokens) + step + 1, step)
