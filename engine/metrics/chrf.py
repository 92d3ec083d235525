"""chrF2 by sacrebleu, and chrF++ and other weights as its options."""

from collections.abc import Sequence

from pydantic import Field

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.options import MetricOptions, optional, read


class ChrfOptions(MetricOptions):
    """Sacrebleu's own names; word_order=2 is chrF++."""

    word_order: int = Field(0, ge=0, le=6)
    beta: int = Field(2, ge=1, le=10)
    char_order: int = Field(6, ge=1, le=10)
    lowercase: bool = False
    whitespace: bool = False


class Chrf:
    """chrF with options; `from_parts` is where engine.core.score says it is."""

    def __init__(self, options: ChrfOptions) -> None:
        self._options = options

    def __call__(self, predictions: Sequence[str], references: References) -> Scores:
        """Corpus chrF / 100, and the chrF of each row."""
        from sacrebleu.metrics import CHRF

        check(predictions, references)
        asked = self._options
        metric = CHRF(
            char_order=asked.char_order,
            word_order=asked.word_order,
            beta=asked.beta,
            lowercase=asked.lowercase,
            whitespace=asked.whitespace,
        )
        parts = [
            tuple(map(float, _counts(metric, prediction, accepted)))
            for prediction, accepted in zip(predictions, references, strict=True)
        ]
        totals = [sum(column) for column in zip(*parts, strict=True)]
        sizes = {len(accepted) for accepted in references}
        metric.num_refs = sizes.pop() if len(sizes) == 1 else -1  # -1: "nrefs:var" in the signature
        name = f"chrF{asked.beta}{'+' * asked.word_order}"  # as sacrebleu calls it
        return Scores(
            overall=self.from_parts(totals),
            each=tuple(self.from_parts(row) for row in parts),
            signature=f"{name}|{metric.get_signature()}",
            parts=tuple(parts),
        )

    def from_parts(self, totals: Sequence[float]) -> float:
        """ChrF as a share of the summed counts: precision and recall averaged, then F."""
        found = [totals[place : place + 3] for place in range(0, len(totals), 3)]
        seen = [(both / in_p, both / in_r) for in_p, in_r, both in found if in_p > 0 and in_r > 0]
        if not seen:
            return 0.0
        precision, recall = (sum(side) / len(seen) for side in zip(*seen, strict=True))
        factor = self._options.beta**2
        weighted = factor * precision + recall
        return min(1.0, float((1 + factor) * precision * recall / weighted)) if weighted else 0.0


def with_options(argument: str) -> Chrf:
    """ChrF with sacrebleu's options, such as `word_order=2`, which is chrF++."""
    return Chrf(read("chrf", ChrfOptions, argument))


@optional(with_options, offered=("word_order=2",))
@described(
    "chrF",
    "text",
    "How many short runs of letters the answer shares with the reference. Forgives other "
    "word endings, and works in every language.",
)
def chrf(predictions: Sequence[str], references: References) -> Scores:
    """Corpus chrF2 / 100, and the chrF2 of each row.

    Runs of one to six characters without their spaces, recall counting twice as much as
    precision; of several references a row is held against the one it is closest to. It needs no
    words, so every writing is treated alike. `parts` are sacrebleu's counts: in the prediction, in
    the reference and in both, for each length. Source: Popovic 2015, W15-3049.
    """
    return PLAIN(predictions, references)


def _counts(metric: object, prediction: str, accepted: Sequence[str]) -> list[int]:
    """Sacrebleu's counts for one row; its public calls give the score alone."""
    cleaned = [metric._preprocess_segment(text) for text in (prediction, *accepted)]  # type: ignore[attr-defined]
    known = metric._extract_reference_info(cleaned[1:])  # type: ignore[attr-defined]
    counts: list[int] = metric._compute_segment_statistics(  # type: ignore[attr-defined]
        cleaned[0], known
    )
    return counts


PLAIN = Chrf(ChrfOptions())
from_parts = PLAIN.from_parts
chrf.from_parts = from_parts  # type: ignore[attr-defined]  # where engine.core.score says it is
