"""BLEU by sacrebleu."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check
from engine.metrics.options import MetricOptions, optional, read
from engine.metrics.scripts import bleu_tokenizer


class BleuOptions(MetricOptions):
    """Sacrebleu's own names; without a tokenizer it follows the writing of the references."""

    tokenize: Literal["13a", "intl", "char", "zh", "none"] | None = None
    lowercase: bool = False
    smooth_method: Literal["exp", "floor", "add-k", "none"] = "exp"
    smooth_value: float | None = Field(None, gt=0, le=100)
    effective_order: bool = True


class Bleu:
    """BLEU with options; `from_parts` is where engine.core.score says it is."""

    def __init__(self, options: BleuOptions) -> None:
        self._options = options

    def __call__(self, predictions: Sequence[str], references: References) -> Scores:
        """Corpus BLEU / 100, and the sentence BLEU of each row."""
        check(predictions, references)
        metric = self._metric(references)
        rows = [
            metric.sentence_score(prediction, list(accepted))
            for prediction, accepted in zip(predictions, references, strict=True)
        ]
        counted = rows
        if self._options.smooth_method == "add-k":  # sacrebleu adds k to the counts that it returns
            plain = self._metric(references, smooth_method="none")
            counted = [
                plain.sentence_score(prediction, list(accepted))
                for prediction, accepted in zip(predictions, references, strict=True)
            ]
        corpus = metric.corpus_score(list(predictions), _streams(references))
        return Scores(
            overall=_share(corpus.score),
            each=tuple(_share(row.score) for row in rows),
            signature=f"BLEU|{metric.get_signature()}",
            parts=tuple(
                tuple(map(float, (row.sys_len, row.ref_len, *row.counts, *row.totals)))
                for row in counted
            ),
        )

    def from_parts(self, totals: Sequence[float]) -> float:
        """BLEU / 100 of summed parts: system and reference length, matches, n-grams (1 to 4)."""
        from sacrebleu.metrics import BLEU

        counts = [int(total) for total in totals]
        score = BLEU.compute_bleu(
            correct=counts[2:6],
            total=counts[6:],
            sys_len=counts[0],
            ref_len=counts[1],
            smooth_method=self._options.smooth_method,
            smooth_value=self._options.smooth_value,
            effective_order=self._options.effective_order,
        )
        return _share(score.score)

    def _metric(self, references: References, smooth_method: str | None = None) -> Any:
        from sacrebleu.metrics import BLEU

        asked = self._options
        texts = (text for accepted in references for text in accepted)
        return BLEU(
            tokenize=asked.tokenize or bleu_tokenizer(texts),
            lowercase=asked.lowercase,
            smooth_method=smooth_method or asked.smooth_method,
            smooth_value=asked.smooth_value,
            effective_order=asked.effective_order,
            force=True,
        )


def with_options(argument: str) -> Bleu:
    """BLEU with sacrebleu's options, such as `tokenize=intl+lowercase`."""
    return Bleu(read("bleu", BleuOptions, argument))


@optional(with_options, offered=("lowercase",))
@described(
    "BLEU",
    "text",
    "How many runs of one to four words the answer shares with the reference. Strict: a good "
    "answer in other words scores low.",
)
def bleu(predictions: Sequence[str], references: References) -> Scores:
    """Corpus BLEU / 100, and the sentence BLEU of each row.

    Both use sacrebleu's effective order: texts of fewer than four tokens are scored on the
    n-grams they have, where plain BLEU would be 0 even for a perfect answer. A corpus with one
    longer prediction scores as plain BLEU does. The tokenizer follows the writing of the
    references. Source: Post 2018, W18-6319.
    """
    return PLAIN(predictions, references)


def _streams(references: References) -> list[list[str | None]]:
    """Sacrebleu's layout: one list for the first reference of every row, one for the second ..."""
    most = max(map(len, references))
    return [
        [accepted[place] if place < len(accepted) else None for accepted in references]
        for place in range(most)
    ]


def _share(score: float) -> float:
    """Percent as a share; sacrebleu's logarithms can end at 100.00000000000004."""
    return min(1.0, float(score) / 100)


PLAIN = Bleu(BleuOptions())
from_parts = PLAIN.from_parts
bleu.from_parts = from_parts  # type: ignore[attr-defined]  # where engine.core.score says it is
