"""ROUGE-Lsum as rouge_score defines it, for every writing and for texts of any length."""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import chain
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.options import optional, read
from engine.metrics.rouge import RougeOptions, Words

MOST_LINES = 200  # every line meets every line of the other text
Lines = list[list[str]]


class RougeLsum:
    """ROUGE-Lsum with options."""

    def __init__(self, options: RougeOptions) -> None:
        self._stemmer = options.stemmer

    def __call__(self, predictions: Sequence[str], references: References) -> Scores:
        """F1 of the words that lines have in common, the best over the references."""
        check(predictions, references)
        split = Words(self._stemmer).tokenize
        each = tuple(
            max(_score(_lines(text, split), _lines(prediction, split)) for text in accepted)
            for prediction, accepted in zip(predictions, references, strict=True)
        )
        signature = (
            f"rougeLsum|f1|refs:best|sent:line feed|stem:{'porter' if self._stemmer else 'no'}|"
            f"tok:words|rouge_score:{version('rouge_score')}"
        )
        return Scores(overall=fmean(each), each=each, signature=signature)


def with_options(argument: str) -> RougeLsum:
    """ROUGE-Lsum with `stemmer`."""
    return RougeLsum(read("rougeLsum", RougeOptions, argument))


@optional(with_options)
@described(
    "ROUGE-Lsum",
    "text",
    "As ROUGE-L, but line by line: for summaries of several lines, whatever their order.",
)
def rouge_lsum(predictions: Sequence[str], references: References) -> Scores:
    """F1 of the words that lines have in common in the same order, the best over the references.

    A sentence is a line: texts are split at line feeds and nowhere else, as rouge_score does. Past
    200 lines, the last sentence is the rest of the text. Source: Lin 2004, W04-1013, section 3.2.
    """
    return RougeLsum(RougeOptions())(predictions, references)


def _lines(text: str, split: Callable[[str], list[str]]) -> Lines:
    lines = [line for line in text.split("\n", MOST_LINES - 1) if line]
    return [split(line) for line in lines]


def _score(reference: Lines, prediction: Lines) -> float:
    from rouge_score.scoring import fmeasure

    left_r, left_p = (Counter(chain.from_iterable(side)) for side in (reference, prediction))
    if not left_r or not left_p:
        return 0.0
    size_r, size_p, hits = left_r.total(), left_p.total(), 0
    for line in reference:
        places = set().union(*(common(line, other) for other in prediction))
        for word in (line[place] for place in sorted(places)):
            if left_r[word] > 0 and left_p[word] > 0:  # no word counts twice
                hits += 1
                left_r[word] -= 1
                left_p[word] -= 1
    return float(fmeasure(hits / size_p, hits / size_r))


def common(a: Sequence[str], b: Sequence[str]) -> list[int]:
    """Places in `a` of the longest common subsequence that rouge_score would choose.

    Rows of its table are kept as bits (Hyyro 2004): a zero at place i says that the table grows
    there, so 20,000 words need 50 MB instead of gigabytes.
    """
    rows = _rows(a, b)
    i, j, found = len(a), len(b), []
    while i and j:
        if a[i - 1] == b[j - 1]:
            found.append(i - 1)
            i, j = i - 1, j - 1
        elif _value(rows[j - 1], i) > _value(rows[j], i - 1):
            j -= 1
        else:
            i -= 1
    return found[::-1]


def _rows(a: Sequence[str], b: Sequence[str]) -> list[int]:
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(a)) - 1
    rows = [full]
    for word in b:
        match = rows[-1] & places.get(word, 0)
        rows.append((rows[-1] + match | rows[-1] - match) & full)
    return rows


def _value(row: int, width: int) -> int:
    """The table's entry: zeros among the first `width` bits."""
    return width - (row & (1 << width) - 1).bit_count()
