"""Several systems' answers to the same rows, each against the first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.core.evaluation import Gain, Mean
from engine.metrics.input_check import References
from engine.metrics.score import Answers, Scored, find, gain, score_rows
from engine.stats.multiple_testing import adjusted
from engine.stats.resampling import approximate_randomisation, paired_bootstrap

PairedTest = Literal["permutation", "randomisation", "bootstrap"]
TESTS: dict[str, Callable[..., float]] = {
    "randomisation": approximate_randomisation,
    "bootstrap": paired_bootstrap,
}


class ComparedSystem(BaseModel):
    """One system's means by metric, and its gains over the first; `p` of the test asked for.

    The gains allow for the number of comparisons (Holm), `p` stands for each alone.
    """

    model_config = ConfigDict(frozen=True)

    scores: dict[str, Mean]
    gains: dict[str, Gain] = {}
    p: dict[str, float] = {}


def compare_systems(
    systems: Mapping[str, Answers],
    references: References,
    metrics: Sequence[str],
    test: PairedTest = "permutation",
) -> dict[str, ComparedSystem]:
    """Every system by name, the first being the one that others are held against.

    Rows that either failed on are left out of a comparison. UserError as of `score_rows`.
    """
    scored = {
        name: {metric: score_rows(metric, answers, references) for metric in metrics}
        for name, answers in systems.items()
    }
    first, *others = scored
    gains = adjusted(
        {
            (name, metric): gain(metric, scored[first][metric], scored[name][metric])
            for name in others
            for metric in metrics
        }
    )
    return {
        name: ComparedSystem(
            scores={metric: found.mean for metric, found in each.items()},
            gains={metric: gains[name, metric] for metric in metrics if name != first},
            p={
                metric: _p(metric, scored[first][metric], each[metric], TESTS[test])
                for metric in metrics
                if name != first and test in TESTS
            },
        )
        for name, each in scored.items()
    }


def _p(metric: str, base: Scored, new: Scored, test: Callable[..., float]) -> float:
    if base.parts is None or new.parts is None:
        both = [(a, b) for a, b in zip(base.each, new.each, strict=True) if None not in (a, b)]
        return test([(a, 1.0) for a, _ in both], [(b, 1.0) for _, b in both], _mean)
    known = [(a, b) for a, b in zip(base.parts, new.parts, strict=True) if a and b]
    from_parts: Any = find(metric).from_parts
    return test([a for a, _ in known], [b for _, b in known], from_parts)


def _mean(totals: Any) -> float:
    return float(totals[0] / totals[1]) if totals[1] else 0.0
