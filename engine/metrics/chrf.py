"""chrF2 by sacrebleu."""

from collections.abc import Sequence

from engine.core.score import Scores, described
from engine.metrics.checked import References, check


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
    from sacrebleu.metrics import CHRF

    check(predictions, references)
    metric = CHRF()
    parts = [
        tuple(map(float, _counts(metric, prediction, accepted)))
        for prediction, accepted in zip(predictions, references, strict=True)
    ]
    totals = [sum(column) for column in zip(*parts, strict=True)]
    sizes = {len(accepted) for accepted in references}
    metric.num_refs = sizes.pop() if len(sizes) == 1 else -1  # -1: "nrefs:var" in the signature
    return Scores(
        overall=from_parts(totals),
        each=tuple(from_parts(row) for row in parts),
        signature=f"chrF2|{metric.get_signature()}",
        parts=tuple(parts),
    )


def _counts(metric: object, prediction: str, accepted: Sequence[str]) -> list[int]:
    """Sacrebleu's counts for one row; its public calls give the score alone."""
    known = metric._extract_reference_info(accepted)  # type: ignore[attr-defined]
    counts: list[int] = metric._compute_segment_statistics(  # type: ignore[attr-defined]
        prediction.rstrip(), known
    )
    return counts


def from_parts(totals: Sequence[float]) -> float:
    """ChrF2 as a share of the summed counts: precision and recall averaged, then F with beta 2."""
    found = [totals[place : place + 3] for place in range(0, len(totals), 3)]
    seen = [(both / in_p, both / in_r) for in_p, in_r, both in found if in_p > 0 and in_r > 0]
    if not seen:
        return 0.0
    precision, recall = (sum(side) / len(seen) for side in zip(*seen, strict=True))
    weighted = 4 * precision + recall
    return min(1.0, float(5 * precision * recall / weighted)) if weighted else 0.0


chrf.from_parts = from_parts  # type: ignore[attr-defined]  # where engine.core.score says it is
