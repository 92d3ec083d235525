"""What the demo found, as data for `--json` and the page, and as Markdown for people."""

import os
from typing import Any

from engine.core.evaluation import Evaluation
from engine.core.rating import tally_words
from engine.raters.rule import stated
from engine.stats.preference import Verdict
from engine.store.exports import PairExport

COST_NOTE = "No machine price was given; the cost is the time of this machine."


def report_of(
    rule: str,
    evaluation: Evaluation,
    verdict: Verdict,
    export: PairExport,
    rated: int,
    stages: list[tuple[str, float]],
) -> dict[str, Any]:
    """The report: before and after with intervals, win rate with interval, and what it cost."""
    base, sft, dpo = evaluation.models
    seconds = sum(took for _, took in stages)
    return {
        "sentence": verdict.sentence,
        "decision": verdict.decision,
        "win_rate": verdict.win_rate,
        "low": verdict.low,
        "high": verdict.high,
        "votes": {
            "wins": verdict.wins,
            "losses": verdict.losses,
            "ties": verdict.ties,
            "both_bad": verdict.both_bad,
        },
        "before": _means(evaluation, base),
        "sft": _means(evaluation, sft),
        "after": _means(evaluation, dpo),
        "gains": {k: gain.sentence for k, gain in evaluation.gains[dpo].items()},
        "held_out_rows": len(evaluation.rows),
        "rated": rated,
        "pairs": export.pairs,
        "left_out": export.counts,
        "rater": {"rule": rule, "stated": stated(rule)},
        "stages": [{"label": label, "seconds": round(took, 1)} for label, took in stages],
        "seconds": round(seconds, 1),
        "cores": os.cpu_count(),
        "cost_note": COST_NOTE,
    }


def _means(evaluation: Evaluation, model: str) -> dict[str, dict[str, Any]]:
    return {k: mean.model_dump() for k, mean in evaluation.means[model].items()}


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a page of text."""
    lines = [
        "# The loop, once round",
        "",
        report["sentence"],
        "",
        f"| on {report['held_out_rows']} held-out rows | base | after SFT | after DPO |",
        "| --- | --- | --- | --- |",
    ]
    for metric in report["before"]:
        cells = (_cell(report[stage][metric]) for stage in ("before", "sft", "after"))
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    votes = report["votes"]
    lines += [
        "",
        f"Blind round: win rate {report['win_rate']:.3f} "
        f"(95 % interval {report['low']:.3f} to {report['high']:.3f}); "
        f"{tally_words(**votes)}.",
        f"Training pairs: {report['pairs']} from {report['rated']} votes.",
        f"Raters were simulated ({report['rater']['rule']}): {report['rater']['stated']}",
        "",
        f"It took {report['seconds'] / 60:.1f} minutes on {report['cores']} cores. "
        f"{report['cost_note']}",
        "",
        *(f"- {stage['label']}: {stage['seconds']} s" for stage in report["stages"]),
    ]
    return "\n".join(lines) + "\n"


def _cell(mean: dict[str, Any]) -> str:
    return f"{mean['score']:.3f} ({mean['low']:.3f} to {mean['high']:.3f})"
