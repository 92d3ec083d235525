"""Runs side by side: their losses in one chart, the settings that differ, how they ended."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from engine.core.job import Job
from engine.core.shortened import shortened
from engine.services.jobs import compare
from ui.components import charts, forms, tokens
from ui.components.event_cursor import Track
from ui.pages.jobs import settings

# told apart by all common kinds of colour blindness, and readable on light and on dark
COLOURS = tuple(tokens.chart(f"series-{number}") for number in range(1, 6))
SIGNS = ("circle", "diamond", "square", "triangle-up", "cross")
LONGEST = 40  # characters of a name in the legend
ASK = "Choose two to five trainings to compare."


def losses(found: Sequence[Job], tracks: Mapping[str, Track]) -> Any:
    """One colour a run: the held-out loss bold, the training loss faint."""
    drawn = charts.figure()
    for job, colour, sign in zip(found, COLOURS, SIGNS, strict=False):
        metrics = tracks[job.id].metrics
        # Plotly reads a name as HTML
        name = escape(shortened(job.name, LONGEST))
        steps, values = charts.points(metrics, "loss")
        drawn.add_trace(
            go.Scatter(
                x=steps, y=values, name=f"{name}, training", mode="lines", opacity=0.4,
                line={"color": colour, "width": 1.2}, legendgroup=job.id, showlegend=False,
                hovertemplate="%{y:.3f}",
            )
        )  # fmt: skip
        steps, values = charts.points(metrics, "eval_loss")
        drawn.add_trace(
            go.Scatter(
                x=steps, y=values, name=f"{name}, held out", mode="lines+markers",
                line={"color": colour, "width": 2.6}, marker={"size": 8, "symbol": sign},
                legendgroup=job.id, hovertemplate="%{y:.3f}",
            )
        )  # fmt: skip
    drawn.update_layout(uirevision=" ".join(job.id for job in found))
    drawn.update_xaxes(title_text="step")
    drawn.update_yaxes(title_text="loss (lower is better)")
    return drawn


def table(found: Sequence[Job], called: dict[str, str]) -> str:
    """The settings that are not the same everywhere, then the last numbers; a column a run."""
    heads = "".join(f"<th>{escape(job.name)}</th>" for job in found)
    differ = compare.differing([job.recipe for job in found])
    names = [job.name for job in found]
    rows = [
        _row(label(name), names, [settings.words(value, called) for value in each])
        for name, each in differ.items()
    ]
    rows += [
        _row(name.capitalize(), names, ["–" if value is None else number(value) for value in each])
        for name, each in compare.finals(found).items()
    ]
    same = "" if differ else '<p class="tl-hint">All settings are the same.</p>'
    return (
        f'<table class="tl-settings tl-even"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{same}"
    )


def label(name: str) -> str:
    """What a setting is called; one inside others goes by both names."""
    field, _, inside = name.partition(".")
    return f"{forms.label(field)}: {inside}" if inside else forms.label(field)


def number(value: float) -> str:
    """A number without digits that nobody reads."""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3f}"


def _row(name: str, heads: Sequence[str], values: list[str]) -> str:
    cells = "".join(
        f'<td data-head="{escape(head)}">{escape(value)}</td>'
        for head, value in zip(heads, values, strict=True)
    )
    return f"<tr><th>{escape(name)}</th>{cells}</tr>"
