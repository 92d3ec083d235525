"""The answers of an evaluation: the gain of a row, rows in an order, and files to take along."""

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import cycle
from typing import Any, Literal

from engine.core.evaluation import EvaluatedRow, Evaluation
from engine.core.spreadsheet import escape_formula

Order = Literal["rows", "gains", "losses"]


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
    evaluation: Evaluation,
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
    asked = [r for r, kept in zip(evaluation.rows, inside or cycle([True]), strict=False) if kept]
    rows = [row for row in asked if not wanted or wanted in _searched(row)]
    if order == "rows":
        return rows
    base, sign = evaluation.models[0], -1 if order == "gains" else 1
    # rows without a gain come last, whichever way
    return sorted(rows, key=lambda row: _rank(gain(row, base, model, metric), sign))


def as_csv(evaluation: Evaluation, names: Mapping[str, str]) -> str:
    """One line a row, safe to open in a spreadsheet; it begins with a byte order mark."""
    out = StringIO()
    writer = csv.writer(out)
    base = evaluation.models[0]
    writer.writerow([escape_formula(head) for head in _heads(evaluation, names)])
    for row in evaluation.rows:
        cells: list[Any] = [row.index, _whole(row), "\n".join(row.references)]
        for model in evaluation.models:
            output = row.outputs[model]
            cells += [output.text, output.failed or "", output.tokens, round(output.seconds, 4)]
            cells += [output.scores.get(metric, "") for metric in evaluation.metrics]
            if model != base:
                gains = (gain(row, base, model, metric) for metric in evaluation.metrics)
                cells += ["" if each is None else each for each in gains]
        writer.writerow([escape_formula(cell) if isinstance(cell, str) else cell for cell in cells])
    return f"\ufeff{out.getvalue()}"


def as_jsonl(evaluation: Evaluation, names: Mapping[str, str]) -> str:
    """One JSON object a row, models by their names."""
    lines = []
    for row in evaluation.rows:
        values = row.model_dump(mode="json")
        values["outputs"] = {names[model]: values["outputs"][model] for model in evaluation.models}
        lines.append(json.dumps(values, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def _heads(evaluation: Evaluation, names: Mapping[str, str]) -> list[str]:
    heads = ["row", "prompt", "references"]
    for n, model in enumerate(evaluation.models):
        name = names[model]
        heads += [f"{name}: {what}" for what in ("answer", "failed", "tokens", "seconds")]
        heads += [f"{name}: {metric}" for metric in evaluation.metrics]
        heads += [f"{name}: gain in {metric}" for metric in evaluation.metrics] if n else []
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
