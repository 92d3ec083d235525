"""What the harness found, as numbers with intervals; and two models on the same questions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engine.core.evaluation import Gain
from engine.core.evaluation_sentences import QUESTIONS
from engine.core.job_result import BenchmarkScore
from engine.stats.intervals import wilson
from engine.stats.multiple_testing import adjusted
from engine.stats.paired import paired_gain

Z = 1.959964  # of a normal distribution, 95 %


class ModelScores(NamedTuple):
    """The scores of one model, and of each that is a mean of shares the score of each question."""

    scores: tuple[BenchmarkScore, ...]
    each: dict[str, tuple[float, ...]]


def read(output: Mapping[str, Any]) -> ModelScores:
    """What `lm_eval.evaluate` returned, without the questions and answers."""
    each = _each(output.get("samples") or {})
    shares = {key.partition("|")[2] for key in each}
    scores = [
        _score(output, task, key, shares)
        for task, measured in output["results"].items()
        for key, value in measured.items()
        if _is_score(key, value)
    ]
    return ModelScores(tuple(scores), each)


def gains(first: ModelScores, others: Mapping[str, ModelScores]) -> dict[str, dict[str, Gain]]:
    """Each other model against the first by question; `p` allows for all of these comparisons."""
    compared = adjusted(
        {
            (model, key): paired_gain(first.each[key], found.each[key], unit=QUESTIONS)
            for model, found in others.items()
            for key in first.each
            if len(found.each.get(key, ())) == len(first.each[key])
        },
        unit=QUESTIONS,
    )
    split: dict[str, dict[str, Gain]] = {model: {} for model in others}
    for (model, key), gain in compared.items():
        split[model][key] = gain
    return split


def _is_score(key: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "," in key and "_stderr," not in key and is_number and math.isfinite(value)


def _score(output: Mapping[str, Any], task: str, key: str, shares: set[str]) -> BenchmarkScore:
    measured, (metric, by) = output["results"][task], key.split(",", 1)
    score, stderr = float(measured[key]), measured.get(f"{metric}_stderr,{by}")
    known = isinstance(stderr, int | float) and math.isfinite(stderr)
    n, of = _asked(output, task)
    low, high = (None, None)
    if known:
        low, high = _bounds(score, float(stderr), n, f"{metric}|{by}" in shares)
    version = output["versions"].get(task)
    return BenchmarkScore(
        task=task,
        metric=metric,
        filter=by,
        score=score,
        stderr=float(stderr) if known else None,
        low=low,
        high=high,
        n=n,
        of=of,
        num_fewshot=output["n-shot"].get(task),
        version="" if version is None else str(version),
        higher_is_better=(output["higher_is_better"].get(task) or {}).get(metric),
        group=bool(output["group_subtasks"].get(task)),
    )


def _bounds(score: float, stderr: float, n: int, share: bool) -> tuple[float | None, float | None]:
    """95 % by the standard error; it is 0 where all questions scored alike, and bounds nothing."""
    if stderr == 0:
        return wilson(score, n) if share and score in (0.0, 1.0) else (None, None)
    low, high = score - Z * stderr, score + Z * stderr
    return (max(0.0, low), min(1.0, high)) if share else (low, high)


def _asked(output: Mapping[str, Any], task: str) -> tuple[int, int]:
    """How many questions were asked and there are; of a group, of all its tasks."""
    counts = output["n-samples"]
    if task in counts:
        return int(counts[task]["effective"]), int(counts[task]["original"])
    parts = [_asked(output, part) for part in output["group_subtasks"].get(task, ())]
    return sum(n for n, _ in parts), sum(of for _, of in parts)


def _each(samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, tuple[float, ...]]:
    """By task, metric and filter, the scores of the questions where all of them lie in [0, 1]."""
    found: dict[str, list[Any]] = {}
    for task, rows in samples.items():
        for row in rows:
            for metric in row["metrics"]:
                found.setdefault(f"{task}|{metric}|{row['filter']}", []).append(row[metric])
    return {
        key: tuple(map(float, values))
        for key, values in found.items()
        if all(isinstance(value, int | float) and 0 <= value <= 1 for value in values)
    }
