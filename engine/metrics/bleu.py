"""BLEU by sacrebleu."""

from collections.abc import Sequence

from engine.core.score import Scores, described
from engine.metrics.checked import References, check
from engine.metrics.scripts import bleu_tokenizer


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
    from sacrebleu.metrics import BLEU

    check(predictions, references)
    tokenizer = bleu_tokenizer(text for accepted in references for text in accepted)
    metric = BLEU(effective_order=True, tokenize=tokenizer, force=True)
    rows = [
        metric.sentence_score(prediction, list(accepted))
        for prediction, accepted in zip(predictions, references, strict=True)
    ]
    corpus = metric.corpus_score(list(predictions), _streams(references))
    return Scores(
        overall=_share(corpus.score),
        each=tuple(_share(row.score) for row in rows),
        signature=f"BLEU|{metric.get_signature()}",
        parts=tuple(
            tuple(map(float, (row.sys_len, row.ref_len, *row.counts, *row.totals))) for row in rows
        ),
    )


def _streams(references: References) -> list[list[str | None]]:
    """Sacrebleu's layout: one list for the first reference of every row, one for the second ..."""
    most = max(map(len, references))
    return [
        [accepted[place] if place < len(accepted) else None for accepted in references]
        for place in range(most)
    ]


def from_parts(totals: Sequence[float]) -> float:
    """Corpus BLEU / 100 of summed parts: system and reference length, matches, n-grams (1 to 4)."""
    from sacrebleu.metrics import BLEU

    counts = [int(total) for total in totals]
    score = BLEU.compute_bleu(
        correct=counts[2:6],
        total=counts[6:],
        sys_len=counts[0],
        ref_len=counts[1],
        smooth_method="exp",
        effective_order=True,
    )
    return _share(score.score)


def _share(score: float) -> float:
    """Percent as a share; sacrebleu's logarithms can end at 100.00000000000004."""
    return min(1.0, float(score) / 100)


bleu.from_parts = from_parts  # type: ignore[attr-defined]  # where engine.core.score says it is
