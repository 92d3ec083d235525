"""How few characters must change to turn an answer into its reference."""

from collections.abc import Sequence
from importlib.metadata import version
from statistics import fmean

from rapidfuzz.distance import Levenshtein

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check


@described(
    "Edit similarity",
    "text",
    "How few characters must change to turn the answer into the reference.",
)
def edit_similarity(predictions: Sequence[str], references: References) -> Scores:
    """1 - edits / characters of the longer text, the best over a row's references.

    An edit inserts, deletes or replaces one character (Unicode code point); nothing is
    normalised, and two empty texts are equal. Source: Levenshtein 1966.
    """
    check(predictions, references)
    each = tuple(
        max(float(Levenshtein.normalized_similarity(prediction, text)) for text in accepted)
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = f"edit_similarity|code points|refs:best|rapidfuzz:{version('rapidfuzz')}"
    return Scores(overall=fmean(each), each=each, signature=signature)
