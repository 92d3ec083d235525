"""Pictures of the Data page."""

from typing import Any

import plotly.graph_objects as go

from engine.services.data.statistics import Statistics
from ui.components.charts import ACCENT, BAD, figure


def lengths(found: Statistics) -> Any:
    """How many rows have how many tokens, with a line at the length beyond which rows are cut."""
    edges, longest = found.lengths.edges, found.max_length
    starts, ends = edges[:-1], edges[1:]
    drawn = figure()
    drawn.add_trace(
        go.Bar(
            x=[(a + b) / 2 for a, b in zip(starts, ends, strict=True)],
            y=found.lengths.counts,
            width=[0.9 * (b - a) for a, b in zip(starts, ends, strict=True)],
            marker={"color": [BAD if a >= longest else ACCENT for a in starts], "cornerradius": 2},
            customdata=[[a, b - 1] for a, b in zip(starts, ends, strict=True)],
            hovertemplate="%{y} rows of %{customdata[0]} to %{customdata[1]} tokens<extra></extra>",
        )
    )
    if found.longest > longest / 2:
        drawn.add_vline(x=longest, line={"dash": "dot", "color": BAD, "width": 1.5})
        drawn.add_annotation(
            x=longest, y=1, yref="paper", text=f"cut at {longest:,}", showarrow=False,
            xanchor="left", xshift=4, yanchor="bottom",
        )  # fmt: skip
    drawn.update_layout(bargap=0, showlegend=False, hovermode="x", uirevision="lengths")
    drawn.update_xaxes(title_text="tokens in a row", rangemode="tozero")
    drawn.update_yaxes(title_text="rows")
    return drawn
