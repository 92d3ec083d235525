"""Translation edit rate by sacrebleu, turned so that higher is better."""

from collections.abc import Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.options import MetricOptions, optional, read

LONG = 1000  # words; sacrebleu's search for shifts takes minutes beyond


class TerOptions(MetricOptions):
    """Sacrebleu's own names."""

    normalized: bool = False
    no_punct: bool = False
    asian_support: bool = False
    case_sensitive: bool = False


class Ter:
    """1 - TER with options; `from_parts` is where engine.core.score says it is."""

    def __init__(self, options: TerOptions) -> None:
        self._options = options

    def __call__(self, predictions: Sequence[str], references: References) -> Scores:
        """1 - corpus TER, and 1 - TER of each row, at least 0."""
        from sacrebleu.metrics import TER

        check(predictions, references)
        metric = TER(**self._options.model_dump())
        parts = tuple(
            _edits(metric, prediction, accepted)
            for prediction, accepted in zip(predictions, references, strict=True)
        )
        sizes = {len(accepted) for accepted in references}
        metric.num_refs = sizes.pop() if len(sizes) == 1 else -1
        return Scores(
            overall=self.from_parts([sum(column) for column in zip(*parts, strict=True)]),
            each=tuple(self.from_parts(row) for row in parts),
            signature=f"1-TER|{metric.get_signature()}|shifts:to {LONG} words",
            parts=parts,
        )

    def from_parts(self, totals: Sequence[float]) -> float:
        """1 - edits / words of the references, at least 0."""
        edits, words = totals
        return max(0.0, 1 - edits / words) if words > 0 else float(edits == 0)


def with_options(argument: str) -> Ter:
    """1 - TER with sacrebleu's options, such as `normalized+case_sensitive`."""
    return Ter(read("ter", TerOptions, argument))


@optional(with_options)
@described(
    "TER",
    "text",
    "One minus the translation edit rate: the words to insert, delete, replace or move, as a share "
    "of the reference.",
)
def ter(predictions: Sequence[str], references: References) -> Scores:
    """1 - TER of the corpus and of each row, at least 0; the rate itself is one minus the score.

    Of several references the one with the fewest edits counts, against their mean length. Beyond
    1,000 words a row is compared without moves. Source: Snover et al. 2006, in sacrebleu.
    """
    return PLAIN(predictions, references)


def _edits(metric: Any, prediction: str, accepted: Sequence[str]) -> tuple[float, float]:
    """Sacrebleu's fewest edits for one row, and the mean words of its references."""
    cleaned = [metric._preprocess_segment(text) for text in (prediction, *accepted)]
    words = [text.split() for text in cleaned]
    if max(map(len, words)) > LONG:
        edits = min(Levenshtein.distance(words[0], each) for each in words[1:])
        return float(edits), sum(map(len, words[1:])) / len(accepted)
    known = metric._extract_reference_info(cleaned[1:])
    edits, length = metric._compute_segment_statistics(cleaned[0], known)
    return float(edits), float(length)


PLAIN = Ter(TerOptions())
from_parts = PLAIN.from_parts
ter.from_parts = from_parts  # type: ignore[attr-defined]  # where engine.core.score says it is
