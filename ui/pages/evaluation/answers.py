"""Answers row by row: the table, one row opened with its differences marked, and the files."""

import csv
import json
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from io import StringIO
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from engine.core.evaluation import EvaluatedRow, Evaluation, Output
from engine.services.evaluation.metrics import title as metric_title
from ui.pages.evaluation.render import Names

Order = Literal["rows", "gains", "losses"]
ORDERS: list[tuple[str, Order]] = [
    ("Biggest gains", "gains"),
    ("Biggest losses", "losses"),
    ("As in the data", "rows"),
]
PIECES = re.compile(r"\s+|\w+|[^\w\s]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def gain(row: EvaluatedRow, base: str, model: str, metric: str) -> float | None:
    """How much better `model` did on this row; None where one of the two did not answer."""
    before, after = row.outputs[base].scores, row.outputs[model].scores
    if metric not in before or metric not in after:
        return None
    return after[metric] - before[metric]


def question(row: EvaluatedRow) -> str:
    """The last thing that was asked."""
    return row.prompt[-1].content if row.prompt else ""


def ordered(
    found: Evaluation,
    model: str,
    metric: str,
    order: Order,
    text: str,
    inside: Sequence[bool] | None = None,
) -> list[EvaluatedRow]:
    """The rows that hold `text` in question, reference or an answer, in the order asked for.

    `inside` says of each row whether it is looked at; without it all are.
    """
    wanted = text.casefold().strip()
    asked = [r for r, kept in zip(found.rows, inside or cycle([True]), strict=False) if kept]
    rows = [row for row in asked if not wanted or wanted in _searched(row)]
    if order == "rows":
        return rows
    base, sign = found.models[0], -1 if order == "gains" else 1
    # rows without a gain come last, whichever way
    return sorted(rows, key=lambda row: _rank(gain(row, base, model, metric), sign))


def frame(
    rows: list[EvaluatedRow], found: Evaluation, names: Names, model: str, metric: str
) -> pd.DataFrame:
    """A table of rows: number, gain, question, every model's answer, reference, scores."""
    base = found.models[0]
    table: list[dict[str, Any]] = []
    for row in rows:
        cells: dict[str, Any] = {"Row": row.index}
        if model != base:
            difference = gain(row, base, model, metric)
            cells["Gain"] = None if difference is None else round(difference, 3)
        cells["Question"] = question(row)
        for each in found.models:
            cells[names[each]] = said(row.outputs[each])
        cells["Reference"] = row.references[0] if row.references else ""
        for each in found.models:
            score = row.outputs[each].scores.get(metric)
            cells[f"{metric_title(metric)}, {names[each]}"] = (
                None if score is None else round(score, 3)
            )
        table.append(cells)
    return pd.DataFrame(table)


def widths(shown: pd.DataFrame) -> list[str]:
    """How wide each column of `frame` is: numbers narrow, texts wide."""
    return [
        "84px" if name in ("Row", "Gain") else "160px" if "," in name else "300px"
        for name in map(str, shown.columns)
    ]


def said(output: Output) -> str:
    """The answer, or why there is none."""
    return f"(no answer: {output.failed})" if output.failed is not None else output.text


def opened(row: EvaluatedRow, found: Evaluation, names: Names, model: str) -> str:
    """One row whole: question, reference, and both answers with what differs marked."""
    base = found.models[0]
    turns = "".join(
        f'<div class="tl-turn"><small>{escape(turn.role)}</small>{escape(turn.content)}</div>'
        for turn in row.prompt
    )
    references = "".join(f"<div>{escape(each)}</div>" for each in row.references)
    before, after = row.outputs[base], row.outputs[model]
    left, right = marked(said(before), said(after))
    sides = [_side(names[base], "baseline", left, before)]
    if model != base:
        sides.append(_side(names[model], "", right, after))
    else:
        sides = [_side(names[base], "", escape(said(before)), before)]
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


def write_csv(found: Evaluation, names: Names, path: Path) -> None:
    """One line a row, safe to open in a spreadsheet."""
    out = StringIO()
    writer = csv.writer(out)
    base = found.models[0]
    writer.writerow([safe(head) for head in _heads(found, names)])
    for row in found.rows:
        cells: list[Any] = [row.index, _whole(row), "\n".join(row.references)]
        for model in found.models:
            output = row.outputs[model]
            cells += [output.text, output.failed or "", output.tokens, round(output.seconds, 4)]
            cells += [output.scores.get(metric, "") for metric in found.metrics]
            if model != base:
                gains = (gain(row, base, model, metric) for metric in found.metrics)
                cells += ["" if each is None else each for each in gains]
        writer.writerow([safe(cell) if isinstance(cell, str) else cell for cell in cells])
    path.write_text(out.getvalue(), encoding="utf-8-sig", newline="")


def write_jsonl(found: Evaluation, names: Names, path: Path) -> None:
    """One JSON object a row, models by their names."""
    lines = []
    for row in found.rows:
        values = row.model_dump(mode="json")
        values["outputs"] = {names[model]: values["outputs"][model] for model in found.models}
        lines.append(json.dumps(values, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def safe(text: str) -> str:
    """`text` with a leading quote where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _heads(found: Evaluation, names: Names) -> list[str]:
    heads = ["row", "prompt", "references"]
    for n, model in enumerate(found.models):
        name = names[model]
        heads += [f"{name}: {what}" for what in ("answer", "failed", "tokens", "seconds")]
        heads += [f"{name}: {metric}" for metric in found.metrics]
        heads += [f"{name}: gain in {metric}" for metric in found.metrics] if n else []
    return heads


def _whole(row: EvaluatedRow) -> str:
    if len(row.prompt) == 1:
        return row.prompt[0].content
    return "\n".join(f"{turn.role}: {turn.content}" for turn in row.prompt)


def _searched(row: EvaluatedRow) -> str:
    texts = [_whole(row), *row.references, *(output.text for output in row.outputs.values())]
    return "\n".join(texts).casefold()


def _rank(difference: float | None, sign: int) -> tuple[bool, float]:
    return difference is None, sign * (difference or 0.0)


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
