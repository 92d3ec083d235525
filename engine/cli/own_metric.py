"""A metric in a Python file of the person at the command line, in a process of its own.

The file runs with that person's rights, bounded in time and memory; nothing on a page leads here.
"""

import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import fmean
from typing import Any, TypedDict

from engine.core.errors import UserError
from engine.core.score import Scores

TIMEOUT_S = 120
MOST_MEMORY = 4 << 30
MOST_OUTPUT = 64 << 20
Metric = Callable[[Sequence[str], Sequence[Sequence[str]]], Scores]


def named(target: str, timeout_s: float = TIMEOUT_S) -> Metric:
    """The metric that `my.py:function` names; UserError when there is no such file.

    The function takes (predictions, references) and returns Scores, or a list of one score a row,
    from 0 to 1.
    """
    file, _, function = target.rpartition(":")
    path = Path(file)
    if not file or not function.isidentifier():
        raise UserError(f"{target!r} names no function.", "Write it as my.py:function.")
    if not path.is_file():
        raise UserError(f"{file} is not there.", "Check the name.")

    def metric(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
        rows = {"predictions": list(predictions), "references": [list(row) for row in references]}
        result = _child(path, function, json.dumps(rows), timeout_s)
        each = _checked(result.get("each"), len(predictions), target)
        return Scores(
            overall=fmean(each), each=each, signature=f"own:{path.name}:{function}|mean of rows"
        )

    return metric


class RowsToScore(TypedDict):
    """What the child reads: a prediction and its accepted references for each row."""

    predictions: list[str]
    references: list[list[str]]


class ChildAnswer(TypedDict, total=False):
    """What the child writes: one score a row, whatever the function gave, or an error."""

    each: list[Any]
    error: str


def _child(path: Path, function: str, rows: str, timeout_s: float) -> ChildAnswer:
    command = [sys.executable, "-m", "engine.cli.own_metric", str(path.resolve()), function]
    root = str(Path(__file__).parents[2])
    search = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            command, input=rows.encode(), stdout=subprocess.PIPE, timeout=timeout_s, check=False,
            env={**os.environ, "PYTHONPATH": search},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{path.name} took longer than {timeout_s:g} s.", "Score fewer rows, or make it faster."
        ) from None
    try:
        answer: ChildAnswer = json.loads(done.stdout)
    except ValueError:
        raise UserError(
            f"{path.name} ended with code {done.returncode} before it gave its scores.",
            "It may have used more than 4 GB of memory.",
        ) from None
    if "error" in answer:
        raise UserError(
            f"{path.name} failed: {answer['error']}", "Correct the function and try again."
        )
    return answer


def _checked(each: Any, rows: int, target: str) -> tuple[float, ...]:
    fix = "Return one number from 0 to 1 for each row."
    if not isinstance(each, list) or len(each) != rows:
        raise UserError(f"{target} did not return {rows} scores.", fix)
    for row, score in enumerate(each, 1):
        known = isinstance(score, int | float) and math.isfinite(score)
        if not known or not 0 <= score <= 1:
            raise UserError(f"{target} gave row {row} the score {str(score)[:40]}.", fix)
    return tuple(map(float, each))


def main(path: str, function: str) -> None:
    """Read rows from the standard input, write the scores or the error to the standard output."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the function prints must not get between
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_S, TIMEOUT_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_OUTPUT, MOST_OUTPUT))
    rows: RowsToScore = json.load(sys.stdin)
    try:
        result = {"each": _scores(path, function, rows)}
        text = json.dumps(result)
    except Exception as error:  # whatever a foreign file raises is told in its own words
        line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        text = json.dumps({"error": line + "."})
    with answer:
        answer.write(text)


def _scores(path: str, function: str, rows: RowsToScore) -> list[float]:
    spec = spec_from_file_location("own_metric", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, function)(rows["predictions"], rows["references"])
    return [float(score) for score in getattr(found, "each", found)]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
