"""The report of a demo as Markdown for people; its model is in engine/core/job_result.py."""

import os
from collections.abc import Sequence

from engine.core.evaluation import EvaluatedRow, Evaluation, Mean
from engine.core.job_result import DemoExample, DemoReport, DemoStage, DemoVotes, StatedRule
from engine.core.rating import Verdict
from engine.simulated_raters.rule import stated
from engine.store.pair_exports import PairExport

FACTS = "exact_match"  # a regression check of this name
COST_NOTE = "No machine price was given; the cost is the time of this machine."


def report_of(
    rule: str,
    evaluation: Evaluation,
    verdict: Verdict,
    export: PairExport,
    rated: int,
    stages: list[tuple[str, float]],
) -> DemoReport:
    """The report: before and after with intervals, win rate with interval, and what it cost."""
    base, sft, dpo = evaluation.models
    seconds = sum(took for _, took in stages)
    return DemoReport(
        sentence=verdict.sentence,
        decision=verdict.decision,
        win_rate=verdict.win_rate,
        low=verdict.low,
        high=verdict.high,
        votes=DemoVotes(
            wins=verdict.wins,
            losses=verdict.losses,
            ties=verdict.ties,
            both_bad=verdict.both_bad,
            identical=verdict.identical,
        ),
        before=evaluation.means[base],
        sft=evaluation.means[sft],
        after=evaluation.means[dpo],
        gains={name: gain.sentence for name, gain in evaluation.gains[dpo].items()},
        facts=_facts(evaluation, dpo),
        example=_example(evaluation.rows, sft, dpo),
        held_out_rows=len(evaluation.rows),
        rated=rated,
        pairs=export.pairs,
        left_out=export.counts,
        rater=StatedRule(rule=rule, stated=stated(rule)),
        stages=tuple(DemoStage(label=label, seconds=round(took, 1)) for label, took in stages),
        seconds=round(seconds, 1),
        cores=os.cpu_count(),
        cost_note=COST_NOTE,
    )


def _facts(evaluation: Evaluation, model: str) -> str:
    """What the votes cost in right answers, by the check that every further training gets."""
    checks = [each for each in evaluation.regression_checks if each.model == model]
    return next((each.sentence for each in checks if each.id == FACTS), "")


def _example(rows: Sequence[EvaluatedRow], before: str, after: str) -> DemoExample | None:
    """The first question that both answer, and differently."""
    differing = [
        (row, old, new)
        for row in rows
        if (old := row.outputs[before].text.strip()) != (new := row.outputs[after].text.strip())
    ]
    if not differing:
        return None
    row, old, new = differing[0]
    question = row.prompt[-1].content
    return DemoExample(question=question, before=old, after=new, differing=len(differing))


def as_markdown(report: DemoReport) -> str:
    """The report as a page of text."""
    lines = [
        "# The loop, once round",
        "",
        report.sentence,
        "",
        f"| on {report.held_out_rows} held-out rows | base | after SFT | after DPO |",
        "| --- | --- | --- | --- |",
    ]
    for metric in report.before:
        cells = (_cell(means[metric]) for means in (report.before, report.sft, report.after))
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Blind round: win rate {report.win_rate:.3f} "
        f"(95 % interval {report.low:.3f} to {report.high:.3f}); "
        f"{report.votes.words}.",
        *([report.facts] if report.facts else []),
        *_example_lines(report.example),
        f"Training pairs: {report.pairs} from {report.rated} votes.",
        f"Raters were simulated ({report.rater.rule}): {report.rater.stated}",
        "",
        f"It took {report.seconds / 60:.1f} minutes on {report.cores} cores. {report.cost_note}",
        "",
        *(f"- {stage.label}: {stage.seconds} s" for stage in report.stages),
    ]
    return "\n".join(lines) + "\n"


def _cell(mean: Mean) -> str:
    return f"{mean.score:.3f} ({mean.low:.3f} to {mean.high:.3f})"


def _example_lines(example: DemoExample | None) -> list[str]:
    if example is None:
        return []
    return [
        "",
        f"The first of {example.differing} held-out questions that both answer differently:",
        "",
        f"- question: {example.question}",
        f"- after SFT: {example.before}",
        f"- after DPO: {example.after}",
        "",
    ]
