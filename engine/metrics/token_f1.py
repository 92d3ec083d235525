"""Word overlap of an answer and its reference."""

from collections.abc import Sequence
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.exact_match import NORM, normal
from engine.metrics.input_check import References, check
from engine.metrics.word_overlap import best_f1


@described(
    "Word F1",
    "short",
    "How many words answer and reference share, apart from case, punctuation and articles. "
    "For short answers to questions.",
)
def token_f1(predictions: Sequence[str], references: References) -> Scores:
    """F1 of shared words after the normalisation of `exact_match`, the best over the references.

    Words stand between spaces; writings without spaces are split into characters. Nothing in
    common scores 0, two empty texts too. `squad_f1` is SQuAD's published figure.
    """
    check(predictions, references)
    each = tuple(
        best_f1(prediction, accepted, normal)
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = f"token_f1|{NORM}|refs:best|tok:spaces, else characters"
    return Scores(overall=fmean(each), each=each, signature=signature)
