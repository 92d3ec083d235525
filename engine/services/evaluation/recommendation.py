"""The next step after an evaluation, decided from its regression checks and differences."""

from enum import StrEnum

from engine.core.evaluation import Evaluation, GainDecision


class AfterEvaluation(StrEnum):
    """What to do with the last model of an evaluation."""

    COMPARE = "compare"  # it was asked alone
    TRAIN = "train"  # it regressed, or is worse than the baseline
    RATE = "rate"  # people should now say which answers they prefer


def next_step(evaluation: Evaluation, metric: str) -> AfterEvaluation:
    """The step for the last model: train again where it lost, else let people rate it."""
    model = evaluation.models[-1]
    if model not in evaluation.gains:
        return AfterEvaluation.COMPARE
    regressed = any(one.regressed for one in evaluation.regression_checks if one.model == model)
    worse = evaluation.gains[model][metric].decision is GainDecision.WORSE
    return AfterEvaluation.TRAIN if regressed or worse else AfterEvaluation.RATE
