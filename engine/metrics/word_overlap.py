"""F1 of the words that two texts share: one rule for Word F1 and SQuAD F1."""

from collections import Counter
from collections.abc import Callable, Sequence

from engine.metrics.scripts import spaced


def best_f1(prediction: str, accepted: Sequence[str], normal: Callable[[str], str]) -> float:
    """F1 of shared words after `normal`, the best over the accepted texts.

    The harmonic mean of precision and recall; nothing in common is 0, two empty texts too.
    """
    return max(_f1(_words(prediction, normal), _words(text, normal)) for text in accepted)


def _f1(prediction: Counter[str], reference: Counter[str]) -> float:
    shared = (prediction & reference).total()
    return 2 * shared / (prediction.total() + reference.total()) if shared else 0.0


def _words(text: str, normal: Callable[[str], str]) -> Counter[str]:
    """Words stand between spaces; writings without spaces are split into characters."""
    return Counter(normal(spaced(text)).split())
