"""All models that were asked a dataset's questions, best first; and scores by slice. As HTML."""

from collections.abc import Sequence
from html import escape

from engine.core.evaluation import Evaluation
from engine.services.evaluation import slices as evaluation_slices
from engine.services.evaluation.leaderboard import LeaderboardRow
from engine.services.evaluation.metrics import title as metric_title
from engine.services.evaluation.slices import By, Slice, Slicing
from ui.components import markup
from ui.components import names as naming
from ui.pages.evaluation.render import Names, cautions, score

WAYS: dict[By, str] = {
    "question": "Length of the question",
    "reference": "Length of the right answer",
    "language": "Language",
    "group": "Group",
}
UNLIKE = "Models evaluated on different rows are not comparable."


def table(lines: Sequence[LeaderboardRow], names: Names, metric: str, shown: Sequence[str]) -> str:
    """Place, model, score, perplexity, rows, when; the models on the page are marked."""
    ranked = [line for line in lines if metric in line.means]
    rows = "".join(_line(n, line, names, metric, shown) for n, line in enumerate(ranked, 1))
    titles = "".join(
        f"<th>{escape(head)}</th>"
        for head in ("", "Model", metric_title(metric), "Perplexity", "Rows asked", "When")
    )
    unlike = len({(line.rows, line.split) for line in ranked}) > 1
    note = f'<p class="tl-hint">{UNLIKE}</p>' if unlike else ""
    warnings = cautions([(_name(line, names), line.means[metric]) for line in ranked])
    return _table(titles, rows) + warnings + note


def _line(place: int, line: LeaderboardRow, names: Names, metric: str, shown: Sequence[str]) -> str:
    mean = line.means[metric]
    name = escape(_name(line, names))
    small = "<small>no model</small>" if line.trivial else ""
    surprised = f"{line.perplexity.score:,.2f}" if line.perplexity else "–"
    where = {"held_out": "held out", "all": "all rows", "train": "training rows"}[line.split]
    mark = ' class="tl-here"' if line.model_id in shown else ""
    return (
        f"<tr{mark}><td>{place}</td><th>{name}{small}</th>"
        f"<td>{score(mean)}</td>"
        f"<td>{surprised}</td><td>{line.rows:,} <small>{where}</small></td>"
        f"<td>{naming.moment(line.created_at)}</td></tr>"
    )


def _name(line: LeaderboardRow, names: Names) -> str:
    return names.get(line.model_id, line.name)


def by_slice(evaluation: Evaluation, names: Names, metric: str, slicings: dict[By, Slicing]) -> str:
    """A block for every way to slice the rows: slices down, models across."""
    blocks = [
        _block(WAYS[by], sliced, evaluation, names, metric)
        for by, sliced in slicings.items()
    ]  # fmt: skip
    return "".join(blocks) or markup.notice(
        "These rows are too much alike to be parted.", "neutral"
    )


def _block(title: str, sliced: Slicing, evaluation: Evaluation, names: Names, metric: str) -> str:
    each = {m: evaluation_slices.scores(evaluation, m, metric, sliced) for m in evaluation.models}
    heads = "".join(f"<th>{escape(head)}</th>" for head in (title, *(names[m] for m in each)))
    rows = ""
    for slices in zip(*each.values(), strict=True):
        cells = "".join(map(_cell, slices))
        rows += f"<tr><th>{escape(slices[0].name)}</th>{cells}</tr>"
    return _table(heads, rows)


def _cell(one: Slice) -> str:
    if one.mean is None:
        return "<td>–</td>"
    few = "" if one.enough else "<small>few rows</small>"
    return (
        f"<td><b>{one.mean:.3f}</b><small>{one.low:.3f} to {one.high:.3f}, {one.n:,} rows</small>"
        f"{few}</td>"
    )


def _table(heads: str, rows: str) -> str:
    return (
        f'<div class="tl-scroll"><table class="tl-scores tl-parts"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
