"""METEOR by NLTK, with WordNet's synonyms where WordNet is installed."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from statistics import fmean
from typing import Literal

from pydantic import Field

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.options import MetricOptions, optional, read
from engine.metrics.scripts import spaced, words
from engine.metrics.wordnet import load


class MeteorOptions(MetricOptions):
    """NLTK's own names; `tokenize`: its own, at spaces alone, or ROUGE's lower-case words."""

    tokenize: Literal["nltk", "whitespace", "words"] = "nltk"
    alpha: float = Field(0.9, gt=0, lt=1)
    beta: float = Field(3.0, gt=0, le=10)
    gamma: float = Field(0.5, ge=0, le=1)


class Meteor:
    """METEOR with options."""

    def __init__(self, options: MeteorOptions) -> None:
        self._options = options

    def __call__(self, predictions: Sequence[str], references: References) -> Scores:
        """METEOR of each row (the best over its references) and their mean."""
        from nltk.translate.meteor_score import meteor_score

        check(predictions, references)
        synonyms, matching = load()
        asked, tokenize = self._options, _tokenizer(self._options.tokenize)
        each = tuple(
            float(
                meteor_score(
                    [tokenize(spaced(text)) for text in accepted],
                    tokenize(spaced(prediction)),
                    wordnet=synonyms,
                    alpha=asked.alpha,
                    beta=asked.beta,
                    gamma=asked.gamma,
                )
            )
            for prediction, accepted in zip(predictions, references, strict=True)
        )
        shape = "".join(
            f"|{name}:{value}"
            for name, value in asked.model_dump(exclude_defaults=True, exclude={"tokenize"}).items()
        )
        signature = (
            f"METEOR|match:{matching}|refs:best|tok:{asked.tokenize}{shape}|nltk:{version('nltk')}"
        )
        return Scores(overall=fmean(each), each=each, signature=signature)


def _tokenizer(name: str) -> Callable[[str], list[str]]:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    if name == "nltk":
        tokenize: Callable[[str], list[str]] = NLTKWordTokenizer().tokenize
        return tokenize
    return str.split if name == "whitespace" else words


def with_options(argument: str) -> Meteor:
    """METEOR with a tokenizer and NLTK's parameters, such as `tokenize=whitespace+alpha=0.8`."""
    return Meteor(read("meteor", MeteorOptions, argument))


@optional(with_options)
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
    return Meteor(MeteorOptions())(predictions, references)
