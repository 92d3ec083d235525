"""A guard against models that repeat themselves; it says nothing about being right."""

from collections.abc import Sequence
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.scripts import words

LENGTH = 4


@described(
    "No repetition",
    "guard",
    "How little an answer repeats itself. A lower score points to loops; a high one does not "
    "mean a good answer.",
)
def repetition(predictions: Sequence[str], references: References) -> Scores:
    """The share of an answer's runs of four words that are not there already: 1 is no repetition.

    References are not looked at. Fewer than five words cannot repeat a run and score 1; an answer
    without a word scores 0, so that silence never wins. Source: 1 - seq-rep-4 of Welleck et al.
    2020, arXiv:1908.04319.
    """
    check(predictions, references)
    each = tuple(_fresh(words(text)) for text in predictions)
    return Scores(overall=fmean(each), each=each, signature="repetition|1-seq-rep-4|tok:words")


def _fresh(tokens: list[str]) -> float:
    runs = [tuple(tokens[place : place + LENGTH]) for place in range(len(tokens) - LENGTH + 1)]
    return len(set(runs)) / len(runs) if runs else float(bool(tokens))
