"""Accuracy and macro F1 of answers that are labels."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.stats.confusion import labels_of, right_and_given

NORM = "norm:nfkc, case, outer spaces and punctuation"


@described(
    "Accuracy",
    "labels",
    "The share of answers that are the right label. For datasets whose answers are a few "
    "fixed words.",
)
def accuracy(predictions: Sequence[str], references: References) -> Scores:
    """The share of answers that are one of their row's accepted labels.

    Case, the Unicode form, outer spaces, quotes and closing punctuation do not count.
    """
    check(predictions, references)
    each = tuple(float(r == g) for r, g in right_and_given(predictions, references))
    return Scores(overall=fmean(each), each=each, signature=f"accuracy|{NORM}|refs:any")


@described(
    "Macro F1",
    "labels",
    "How well each label is found, rare labels counting as much as common ones. For at most "
    "200 labels.",
)
def macro_f1(predictions: Sequence[str], references: References) -> Scores:
    """The mean over labels of each label's F1, so that rare labels count as much as common ones.

    Labels are those that are right somewhere; an answer that is none of them is wrong, and no
    label of its own. `each` says whether a row is right. `parts` hold, for each accepted label of
    all rows, whether it is given and right, given, right. UserError for more than 200 labels.
    Equals scikit-learn's f1_score(average="macro", zero_division=0) over the right labels.
    """
    check(predictions, references)
    labels = labels_of(references)
    place = {name: 3 * number for number, name in enumerate(labels)}
    parts = np.zeros((len(predictions), 3 * len(labels)))
    pairs = right_and_given(predictions, references)
    for row, (right, given) in enumerate(pairs):
        parts[row, place[right] + 2] = 1
        if given in place:
            parts[row, place[given] + 1] = 1
        if given == right:
            parts[row, place[right]] = 1
    return Scores(
        overall=from_parts(parts.sum(axis=0).tolist()),
        each=tuple(float(right == given) for right, given in pairs),
        signature=f"macro_f1|{NORM}|labels:right somewhere|refs:any",
        parts=tuple(map(tuple, parts.tolist())),
    )


def from_parts(totals: Sequence[float]) -> float:
    """Macro F1 of the summed counts; labels that are right nowhere are left out."""
    both, given, right = np.asarray(totals, dtype=float).reshape(-1, 3).T
    there = right > 0
    return float(np.mean(2 * both[there] / (given[there] + right[there]))) if there.any() else 0.0


macro_f1.from_parts = from_parts  # type: ignore[attr-defined]  # where engine.core.score says
