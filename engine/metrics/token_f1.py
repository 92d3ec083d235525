"""Word overlap as SQuAD measures it."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from engine.core.score import Scores
from engine.metrics.checked import References, check
from engine.metrics.exact_match import normal
from engine.metrics.scripts import spaced


def token_f1(predictions: Sequence[str], references: References) -> Scores:
    """F1 of shared words after SQuAD v1.1 normalisation, the best over a row's references.

    Words stand between spaces; writings without spaces are split into characters. Nothing in
    common scores 0, two empty texts too. Source: Rajpurkar et al. 2016, arXiv:1606.05250, official
    evaluation script.
    """
    check(predictions, references)
    each = tuple(
        max(_f1(_tokens(prediction), _tokens(text)) for text in accepted)
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = "token_f1|norm:squad1.1|refs:best|tok:spaces, else characters"
    return Scores(overall=fmean(each), each=each, signature=signature)


def _tokens(text: str) -> Counter[str]:
    return Counter(normal(spaced(text)).split())


def _f1(prediction: Counter[str], reference: Counter[str]) -> float:
    shared = (prediction & reference).total()
    return 2 * shared / (prediction.total() + reference.total()) if shared else 0.0
