"""ROUGE-1, ROUGE-2 and ROUGE-L as rouge_score defines them, for every writing."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.options import MetricOptions, optional, read
from engine.metrics.scripts import stems, words


class RougeOptions(MetricOptions):
    """`stemmer`: words of more than three letters by Porter's stem, as rouge_score does it."""

    stemmer: bool = False


class Words:
    """rouge_score's tokenizer interface over `words`: its own scores all but Latin text 0."""

    def __init__(self, stemmer: bool = False) -> None:
        self._stemmer = stemmer

    def tokenize(self, text: str) -> list[str]:
        """The text's words in their order."""
        return stems(words(text)) if self._stemmer else words(text)


class _Rouge:
    """ROUGE of one name with options."""

    def __init__(self, name: str, argument: str) -> None:
        self._name, self._options = name, read(name, RougeOptions, argument)

    def __call__(self, predictions: Sequence[str], references: References) -> Scores:
        score = _longest if self._name == "rougeL" else _of_ngrams
        return score(self._name, predictions, references, self._options.stemmer)


def _options_of(name: str) -> Callable[[str], _Rouge]:
    return lambda argument: _Rouge(name, argument)


@optional(_options_of("rouge1"))
@described(
    "ROUGE-1",
    "text",
    "How many single words answer and reference share.",
)
def rouge_1(predictions: Sequence[str], references: References) -> Scores:
    """F1 of shared words, the best over a row's references. Source: Lin 2004, W04-1013."""
    return _of_ngrams("rouge1", predictions, references)


@optional(_options_of("rouge2"))
@described(
    "ROUGE-2",
    "text",
    "How many pairs of neighbouring words they share.",
)
def rouge_2(predictions: Sequence[str], references: References) -> Scores:
    """F1 of shared word pairs, the best over a row's references. Source: Lin 2004, W04-1013."""
    return _of_ngrams("rouge2", predictions, references)


@optional(_options_of("rougeL"), offered=("stemmer",))
@described(
    "ROUGE-L",
    "text",
    "How much of the reference appears in the answer in the same order, gaps allowed.",
)
def rouge_l(predictions: Sequence[str], references: References) -> Scores:
    """F1 of the longest common subsequence of words, the best over a row's references.

    The text is one sequence, not one a line. The subsequence is measured with bits of an integer,
    because rouge_score's table needs gigabytes for 20,000 characters of Chinese; the scores are
    equal. Source: Lin 2004, W04-1013.
    """
    return _longest("rougeL", predictions, references)


def _longest(
    name: str, predictions: Sequence[str], references: References, stemmer: bool = False
) -> Scores:
    check(predictions, references)
    split = Words(stemmer).tokenize
    each = tuple(
        max(_in_order(split(text), split(prediction)) for text in accepted)
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    return _scores(name, each, stemmer)


def _of_ngrams(
    name: str, predictions: Sequence[str], references: References, stemmer: bool = False
) -> Scores:
    from rouge_score.rouge_scorer import RougeScorer

    check(predictions, references)
    scorer = RougeScorer([name], tokenizer=Words(stemmer))
    each = tuple(
        float(scorer.score_multi(list(accepted), prediction)[name].fmeasure)
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    return _scores(name, each, stemmer)


def _scores(name: str, each: tuple[float, ...], stemmer: bool) -> Scores:
    stem = "porter" if stemmer else "no"
    signature = f"{name}|f1|refs:best|stem:{stem}|tok:words|rouge_score:{version('rouge_score')}"
    return Scores(overall=fmean(each), each=each, signature=signature)


def _in_order(reference: list[str], prediction: list[str]) -> float:
    from rouge_score.scoring import fmeasure

    if not reference or not prediction:
        return 0.0
    length = _lcs(reference, prediction)
    return float(fmeasure(length / len(prediction), length / len(reference)))


def _lcs(a: list[str], b: list[str]) -> int:
    """Length of the longest common subsequence. Source: Hyyro 2004, bit-parallel LCS."""
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        match = row & places.get(word, 0)
        row = (row + match | row - match) & full
    return len(a) - row.bit_count()
