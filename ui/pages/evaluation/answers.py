"""Answers row by row: the table, and one row opened with its differences marked."""

import re
from difflib import SequenceMatcher
from html import escape

import pandas as pd

from engine.core.evaluation import EvaluatedRow, Evaluation, Output
from engine.services.evaluation.answers import Order, gain, question
from engine.services.evaluation.metrics import title as metric_title
from ui.pages.evaluation.render import Names

ORDERS: list[tuple[str, Order]] = [
    ("Biggest gains", "gains"),
    ("Biggest losses", "losses"),
    ("As in the data", "rows"),
]
PIECES = re.compile(r"\s+|\w+|[^\w\s]")


def frame(
    rows: list[EvaluatedRow], evaluation: Evaluation, names: Names, model: str, metric: str
) -> pd.DataFrame:
    """A table of rows: number, gain, question, every model's answer, reference, scores."""
    base = evaluation.models[0]
    table: list[dict[str, str | float | None]] = []
    for row in rows:
        cells: dict[str, str | float | None] = {"Row": row.index}
        if model != base:
            difference = gain(row, base, model, metric)
            cells["Gain"] = None if difference is None else round(difference, 3)
        cells["Question"] = question(row)
        for each in evaluation.models:
            cells[names[each]] = answer_text(row.outputs[each])
        cells["Reference"] = row.references[0] if row.references else ""
        for each in evaluation.models:
            score = row.outputs[each].scores.get(metric)
            cells[f"{metric_title(metric)}, {names[each]}"] = (
                None if score is None else round(score, 3)
            )
        table.append(cells)
    return pd.DataFrame(table)


def widths(shown: pd.DataFrame, scores: int) -> list[str]:
    """How wide each column of `frame` is; the last `scores` of them are scores of models."""
    texts = ["84px" if name in ("Row", "Gain") else "300px" for name in shown.columns[:-scores]]
    return [*texts, *["160px"] * scores]


def answer_text(output: Output) -> str:
    """The answer, or why there is none."""
    return f"(no answer: {output.failed})" if output.failed is not None else output.text


def opened(row: EvaluatedRow, evaluation: Evaluation, names: Names, model: str) -> str:
    """One row whole: question, reference, and both answers with what differs marked."""
    base = evaluation.models[0]
    turns = "".join(
        f'<div class="tl-turn"><small>{escape(turn.role)}</small>{escape(turn.content)}</div>'
        for turn in row.prompt
    )
    references = "".join(f"<div>{escape(each)}</div>" for each in row.references)
    before, after = row.outputs[base], row.outputs[model]
    if model == base:
        sides = [_side(names[base], "", escape(answer_text(before)), before)]
    else:
        left, right = marked(answer_text(before), answer_text(after))
        sides = [
            _side(names[base], "baseline", left, before),
            _side(names[model], "", right, after),
        ]
    return (
        f'<div class="tl-opened"><h3>Row {row.index}</h3>'
        f'<div class="tl-block"><h4>Question</h4>{turns}</div>'
        f'<div class="tl-block"><h4>Reference</h4>{references}</div>'
        f'<div class="tl-sides">{"".join(sides)}</div></div>'
    )


def marked(before: str, after: str) -> tuple[str, str]:
    """Both texts as escaped HTML, words that only one of them has in <del> or <ins>."""
    old, new = PIECES.findall(before), PIECES.findall(after)
    left, right = [], []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        same = kind == "equal"
        left.append(_mark("".join(old[a:b]), "" if same else "del"))
        right.append(_mark("".join(new[c:d]), "" if same else "ins"))
    return "".join(left), "".join(right)


def _mark(text: str, tag: str) -> str:
    if not text:
        return ""
    return f"<{tag}>{escape(text)}</{tag}>" if tag else escape(text)


def _side(name: str, note: str, html: str, output: Output) -> str:
    scores = "".join(
        f"<span>{escape(metric_title(metric))} <b>{score:.3f}</b></span>"
        for metric, score in output.scores.items()
    )
    small = f"<small>{note}</small>" if note else ""
    return (
        f'<div class="tl-answer"><div class="tl-answer-head"><b>{escape(name)}</b>{small}</div>'
        f'<div class="tl-answer-text">{html}</div><div class="tl-answer-foot">{scores}</div></div>'
    )
