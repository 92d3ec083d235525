"""Exact match and token F1 exactly as SQuAD publishes them, for figures that others report.

Source: Rajpurkar et al. 2016, arXiv:1606.05250, official evaluation script v1.1.
"""

import re
import string
from collections.abc import Sequence
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.word_overlap import best_f1

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


@described(
    "SQuAD exact match",
    "short",
    "Exact match as SQuAD publishes it: no punctuation counts, so 5 equals -5. For published "
    "figures.",
)
def squad_exact_match(predictions: Sequence[str], references: References) -> Scores:
    """The share of predictions equal to one of their references after SQuAD v1.1 normalisation.

    Case, ASCII punctuation, English articles and the width of spaces do not count, so "5" equals
    "-5", "C" equals "C++" and an empty answer equals "A".
    """
    check(predictions, references)
    each = tuple(
        float(any(normal(prediction) == normal(text) for text in accepted))
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = "squad_exact_match|norm:squad1.1|refs:any"
    return Scores(overall=fmean(each), each=each, signature=signature)


@described(
    "SQuAD F1",
    "short",
    "Word F1 as SQuAD publishes it, for comparing with published figures.",
)
def squad_f1(predictions: Sequence[str], references: References) -> Scores:
    """F1 of shared words after SQuAD v1.1 normalisation, the best over a row's references.

    Words stand between spaces; writings without spaces are split into characters. Nothing in
    common scores 0, two empty texts too.
    """
    check(predictions, references)
    each = tuple(
        best_f1(prediction, accepted, normal)
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = "squad_f1|norm:squad1.1|refs:best|tok:spaces, else characters"
    return Scores(overall=fmean(each), each=each, signature=signature)


def normal(text: str) -> str:
    """Lower case, without punctuation, articles and needless spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())
