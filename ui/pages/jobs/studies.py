"""Jobs that train many times: the learning curve of a dataset, and a search for settings."""

from collections.abc import Sequence
from html import escape
from math import inf
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.core.job import Job
from engine.core.job_result import CurveResult, ExportResult, SweepResult, Trial, TrialState
from engine.core.json_object import JsonObject
from engine.core.learning_curve import LearningCurve, MoreData
from ui.components import charts, markup
from ui.components.event_cursor import Track
from ui.pages.jobs.compare import label

GAP = 0.06  # between the charts of two settings, as a share of the width
STATES = {
    TrialState.DONE: "done",
    TrialState.GIVEN_UP: "stopped early",
    TrialState.FAILED: "failed",
}


def has_picture(job: Job, track: Track) -> bool:
    """Whether there is something to draw."""
    if job.kind == "curve":
        return job.result_as(CurveResult).curve is not None
    return job.kind == "sweep" and any(one.loss is not None for one in trials(job, track))


def picture(job: Job, track: Track) -> Any:
    """The chart of a study."""
    if job.kind == "curve":
        return learning(job.result_as(CurveResult))
    space = job.recipe.get("space", {})
    return search(trials(job, track), space, job.id)


def words(job: Job, track: Track) -> str:
    """What a study found in a sentence, and for a search the table of its trials."""
    # the certificate of an export is shown with its files
    sentence = "" if isinstance(job.result, ExportResult) else job.result.sentence
    notice = markup.notice(sentence, "good" if _helps(job) else "neutral") if sentence else ""
    found = trials(job, track) if job.kind == "sweep" else []
    return notice + (_table(found) if found else "")


def trials(job: Job, track: Track) -> Sequence[Trial]:
    """The trials of a search that are over."""
    return job.result_as(SweepResult).trials or track.trials


def learning(result: CurveResult) -> Any:
    """Held-out loss over rows: each training faint, means with their intervals, the fitted law."""
    found = result.curve
    if found is None:
        raise ValueError("this curve has no points")
    drawn = charts.figure()
    dots = [(size, y) for size, ys in zip(result.sizes, result.losses, strict=True)
            for y in ys]  # fmt: skip
    drawn.add_trace(
        go.Scatter(
            x=[x for x, _ in dots], y=[y for _, y in dots], mode="markers", name="one training",
            marker={"color": charts.MUTED, "size": 6, "opacity": 0.7}, hovertemplate="%{y:.3f}",
        )
    )  # fmt: skip
    x = np.geomspace(found.points[0].size, 2 * found.points[-1].size, 60)
    drawn.add_trace(
        go.Scatter(
            x=x.tolist(), y=[found.law.at(each) for each in x], mode="lines", hoverinfo="skip",
            name="fitted, up to twice the data",
            line={"color": charts.ACCENT, "width": 1.6, "dash": "dot"},
        )
    )  # fmt: skip
    above = [point.high - point.mean for point in found.points]
    drawn.add_trace(
        go.Scatter(
            x=[point.size for point in found.points], y=[point.mean for point in found.points],
            mode="markers", name="mean, 95 % interval", hovertemplate="%{y:.3f}",
            marker={"color": charts.ACCENT, "size": 10},
            error_y={"type": "data", "array": above, "color": charts.ACCENT, "width": 6},
        )
    )  # fmt: skip
    if found.decision not in (None, MoreData.NO_CURVE):
        drawn.add_trace(_twice(found))
    drawn.update_xaxes(title_text="training rows", type="log", tickvals=[
        *result.sizes, 2 * result.sizes[-1]])  # fmt: skip
    drawn.update_yaxes(title_text="held-out loss (lower is better)")
    return drawn


def _twice(found: LearningCurve) -> Any:
    """Where the loss may lie with twice the data: the interval of the gain below the last mean."""
    last = found.points[-1]
    return go.Scatter(
        x=[2 * last.size], y=[last.mean - found.gain], mode="markers",
        name="twice the data, 95 % interval", hovertemplate="%{y:.3f}",
        marker={"color": charts.ACCENT, "size": 10, "symbol": "circle-open"},
        error_y={"type": "data", "array": [found.gain - found.gain_low],
                 "arrayminus": [found.gain_high - found.gain], "color": charts.ACCENT, "width": 6},
    )  # fmt: skip


def search(found: Sequence[Trial], space: JsonObject, run: str) -> Any:
    """Held-out loss over each setting that was tried, side by side; the best trial is marked."""
    drawn = charts.figure()
    done = [one for one in found if one.loss is not None]
    best = min((one for one in done if one.state is TrialState.DONE), key=_loss, default=done[0])
    width = (1 - GAP * (len(space) - 1)) / len(space)
    for n, (name, among) in enumerate(space.items()):
        end = "" if n == 0 else str(n + 1)
        values = [one.settings[name] for one in done]
        drawn.add_trace(
            go.Scatter(
                x=values if isinstance(among, dict) else [str(value) for value in values],
                y=[one.loss for one in done], xaxis=f"x{end}", mode="markers",
                text=[f"trial {one.number}, {STATES[one.state]}" for one in done],
                marker={
                    "size": [15 if one is best else 9 for one in done],
                    "symbol": ["circle" if one.state is TrialState.DONE else "x-thin-open"
                               for one in done],
                    "color": [charts.ACCENT if one is best else charts.MUTED for one in done],
                },
                hovertemplate="%{y:.3f}, %{text}<extra></extra>",
            )
        )  # fmt: skip
        left = n * (width + GAP)
        axis: JsonObject = {
            "domain": [left, left + width], "title": {"text": label(name)}, "anchor": "y",
            "showgrid": False, "linecolor": charts.GRID, "showline": True, "exponentformat": "e",
        }  # fmt: skip
        is_log = isinstance(among, dict) and bool(among.get("log"))
        axis["type"] = "category" if not isinstance(among, dict) else "log" if is_log else "linear"
        drawn.update_layout({f"xaxis{end}": axis})
    drawn.update_layout(showlegend=False, hovermode="closest", uirevision=run)
    drawn.update_yaxes(title_text="held-out loss (lower is better)")
    return drawn


def _loss(trial: Trial) -> float:
    return inf if trial.loss is None else trial.loss


def _helps(job: Job) -> bool:
    if job.kind == "curve":
        curve = job.result_as(CurveResult).curve
        return curve is not None and curve.worth_it
    best = job.result_as(SweepResult).best
    return best is not None and best.number > 1


def _table(found: Sequence[Trial]) -> str:
    names = list(found[0].settings)
    titles = ("Trial", *map(label, names), "Loss", "")
    heads = "".join(f"<th>{escape(text)}</th>" for text in titles)
    ordered = sorted(found, key=_loss)
    rows = "".join(_row(one, names, titles) for one in ordered)
    table = f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
    return f'<table class="tl-settings tl-even">{table}</table>'


def _row(one: Trial, names: list[str], titles: Sequence[str]) -> str:
    loss = "–" if one.loss is None else f"{one.loss:.3f}"
    settings = one.setting_words()
    cells = [
        str(one.number),
        *(settings[name] for name in names),
        loss,
        one.error or STATES[one.state],
    ]
    shown = "".join(
        f'<td data-head="{escape(title)}">{escape(cell)}</td>'
        for title, cell in zip(titles, cells, strict=True)
    )
    return f"<tr>{shown}</tr>"
