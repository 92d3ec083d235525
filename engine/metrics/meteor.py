"""METEOR by NLTK, with WordNet's synonyms where WordNet is installed."""

from collections.abc import Sequence
from importlib.metadata import version
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.checked import References, check
from engine.metrics.scripts import spaced
from engine.metrics.wordnet import load


@described(
    "METEOR",
    "text",
    "Shared words, where word stems count as the same too, and their order matters.",
)
def meteor(predictions: Sequence[str], references: References) -> Scores:
    """METEOR of each row (the best over its references) and their mean.

    Words match when equal, equal after Porter's stemmer, or synonyms in WordNet; without WordNet
    the first two remain, and the signature says so. Even a perfect answer loses
    0.5 / words^3 to the fragmentation penalty. Writings without spaces are split into characters.
    Source: Lavie and Agarwal 2007, W07-0734, with NLTK's parameters.
    """
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.translate.meteor_score import meteor_score

    check(predictions, references)
    synonyms, matching = load()
    tokenize = NLTKWordTokenizer().tokenize
    each = tuple(
        float(
            meteor_score(
                [tokenize(spaced(text)) for text in accepted],
                tokenize(spaced(prediction)),
                wordnet=synonyms,
            )
        )
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = f"METEOR|match:{matching}|refs:best|tok:nltk|nltk:{version('nltk')}"
    return Scores(overall=fmean(each), each=each, signature=signature)
