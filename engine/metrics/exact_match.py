"""Exact match after SQuAD's normalisation."""

import re
import string
from collections.abc import Sequence
from statistics import fmean

from engine.core.score import Scores
from engine.metrics.checked import References, check

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match(predictions: Sequence[str], references: References) -> Scores:
    """The share of predictions equal to one of their references after SQuAD v1.1 normalisation.

    Case, ASCII punctuation, English articles and the width of spaces do not count. Source:
    Rajpurkar et al. 2016, arXiv:1606.05250, official evaluation script.
    """
    check(predictions, references)
    each = tuple(
        float(any(normal(prediction) == normal(text) for text in accepted))
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = "exact_match|norm:squad1.1|refs:any"
    return Scores(overall=fmean(each), each=each, signature=signature)


def normal(text: str) -> str:
    """Lower case, without punctuation, articles and needless spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())
