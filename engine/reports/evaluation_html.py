"""An evaluation as one page of HTML, for the page that shows it and for whoever gets the file."""

from collections.abc import Mapping, Sequence
from html import escape

from engine.core.evaluation import (
    EvaluatedRow,
    Evaluation,
    Gain,
    GainDecision,
    Mean,
    RegressionAnswer,
)
from engine.core.evaluation_sentences import caveat, of_cut_answers
from engine.metrics.descriptions import title as metric_title
from engine.reports.html_page import page, table
from engine.stats.slices import by_size, by_slice, thirds

ANSWERS = 30  # rows shown in full
LONGEST = 2000  # characters of a text
BAR = 240  # pixels
TONES = {GainDecision.BETTER: "good", GainDecision.WORSE: "bad"}
Names = Mapping[str, str]
SPEED = {
    "tokens_per_s": "Tokens a second",
    "first_p50_s": "First token, median (s)",
    "last_p50_s": "Last token, median (s)",
    "last_p95_s": "Last token, slowest 5 % (s)",
    "peak_mb": "Peak memory (MB; 0: not measured)",
    "usd_per_1000": "Dollars per 1,000 answers",
}


def render(evaluation: Evaluation, names: Names, dataset: str) -> str:
    """Scores, differences, baselines, warnings, speed and the first answers.

    `names` are those of the models and baselines, by id; `dataset` is what was asked.
    """
    longest = evaluation.decoding.get("max_new_tokens", "?")
    return page(
        f"{' and '.join(names[m] for m in evaluation.models)} on {dataset}",
        [
            f"<p>{len(evaluation.rows):,} rows ({escape(evaluation.split.replace('_', ' '))}), "
            f"answered greedily with at most {escape(str(longest))} tokens.</p>",
            _warnings(evaluation, names),
            _scores(evaluation, names),
            _differences(evaluation, names),
            _perplexities(evaluation, names),
            _slices(evaluation, names),
            _speeds(evaluation, names),
            _signatures(evaluation),
            _answers(evaluation, names),
        ],
    )


def _warnings(evaluation: Evaluation, names: Names) -> str:
    lines = [
        (
            f"{names[one.model]} against {names[one.compared_with]}: {one.sentence}",
            one.answer is not RegressionAnswer.HELD,
        )
        for one in evaluation.regression_checks
        if one.model in names and one.compared_with in names
    ]
    if evaluation.overlap:
        learned = bool(evaluation.overlap.count or evaluation.overlap.near_count)
        lines.append((evaluation.overlap.message, learned))
    lines += [(text, True) for text in of_cut_answers(evaluation, names)]
    items = "".join(
        f'<li class="{"bad" if bad else "good"}">{escape(text)}</li>' for text, bad in lines
    )
    return f"<h2>Checks</h2><ul>{items}</ul>" if items else ""


def _scores(evaluation: Evaluation, names: Names) -> str:
    everybody = evaluation.means | evaluation.baselines
    rows = [
        [
            escape(metric_title(metric)),
            escape(names[who]),
            _mean(means[metric]),
            _bar(means[metric]),
        ]
        for metric in evaluation.metrics
        for who, means in everybody.items()
        if metric in means
    ]
    return "<h2>Scores</h2>" + table(["Metric", "Who", "Score and 95 % interval", "0 to 1"], rows)


def _mean(mean: Mean) -> str:
    failed = f", {mean.failed:,} failed" if mean.failed else ""
    few = f". {warning}" if (warning := caveat(mean)) else ""
    return (
        f"<b>{mean.score:.3f}</b> <small>{mean.low:.3f} to {mean.high:.3f}, {mean.n:,} rows"
        f"{failed}{few}</small>"
    )


def _bar(mean: Mean) -> str:
    """The interval as a line and the score as a dot, on a scale from 0 to 1."""
    low, at, high = (round(BAR * value) for value in (mean.low, mean.score, mean.high))
    return (
        f'<svg width="{BAR}" height="14" role="img" aria-label="{mean.score:.3f}">'
        f'<line x1="0" x2="{BAR}" y1="7" y2="7" stroke="#ddd"/>'
        f'<line x1="{low}" x2="{high}" y1="7" y2="7" stroke="#3867b1" stroke-width="4"/>'
        f'<circle cx="{at}" cy="7" r="5" fill="#1c3d73"/></svg>'
    )


def _differences(evaluation: Evaluation, names: Names) -> str:
    rows = [
        [escape(names[m]), escape(names[evaluation.models[0]]), escape(metric_title(k)), _gain(one)]
        for m, gains in evaluation.gains.items()
        for k, one in gains.items()
    ]
    rows += [
        [escape(names[m]), escape(names[plain]), escape(metric_title(k)), _gain(one)]
        for m, over in evaluation.over_baselines.items()
        for plain, gains in over.items()
        for k, one in gains.items()
    ]
    heads = ["Model", "Compared with", "Metric", "What the test says"]
    return "<h2>Differences</h2>" + table(heads, rows) if rows else ""


def _gain(one: Gain) -> str:
    tone = TONES.get(one.decision, "")
    return f'<span class="{tone}">{escape(one.sentence)}</span>'


def _perplexities(evaluation: Evaluation, names: Names) -> str:
    rows = [
        [escape(names[m]), f"<b>{p.score:.2f}</b> <small>{p.low:.2f} to {p.high:.2f}</small>",
         f"{p.tokens:,}", escape(p.caution)]
        for m, p in evaluation.perplexity.items()
    ]  # fmt: skip
    heads = ["Model", "Perplexity of the references (lower is better)", "Tokens", ""]
    return "<h2>Surprise</h2>" + table(heads, rows) if rows else ""


def _slices(evaluation: Evaluation, names: Names) -> str:
    """The first metric by the length of the question."""
    metric = evaluation.metrics[0]
    sizes = [sum(len(turn.content) for turn in row.prompt) for row in evaluation.rows]
    parts = thirds(sizes)
    order = by_size(sizes, parts)
    scores = {
        m: [row.outputs[m].scores.get(metric) for row in evaluation.rows] for m in evaluation.models
    }
    rows = [
        [escape(names[m]), escape(one.name), escape(one.sentence)]
        for m in evaluation.models
        for one in by_slice(scores[m], parts, order=order)
    ]
    return f"<h2>{escape(metric_title(metric))} by length of the question</h2>" + table(
        ["Model", "Questions", "Score"], rows
    )


def _speeds(evaluation: Evaluation, names: Names) -> str:
    rows = [
        [escape(names[m]), *(f"{getattr(measured, field):,.2f}" for field in SPEED)]
        for m, measured in evaluation.speed.items()
    ]
    note = "<p><small>Times to the first and last token count from the start of the batch.</small>"
    return "<h2>Speed</h2>" + table(["Model", *SPEED.values()], rows) + note + "</p>"


def _signatures(evaluation: Evaluation) -> str:
    first = evaluation.means[evaluation.models[0]]
    rows = [
        [escape(metric_title(k)), f"<code>{escape(first[k].signature)}</code>"]
        for k in evaluation.metrics
    ]
    return "<h2>What was computed</h2>" + table(["Metric", "Signature"], rows)


def _answers(evaluation: Evaluation, names: Names) -> str:
    heads = ["Row", "Question", "Reference", *(escape(names[m]) for m in evaluation.models)]
    rows = [_answer(row, evaluation.models) for row in evaluation.rows[:ANSWERS]]
    shown = f"the first {len(rows):,} of {len(evaluation.rows):,}"
    return f"<h2>Answers ({shown})</h2>" + table(heads, rows)


def _answer(row: EvaluatedRow, asked: Sequence[str]) -> list[str]:
    answers = (row.outputs[m].failed or row.outputs[m].text for m in asked)
    question = "\n".join(f"{turn.role}: {turn.content}" for turn in row.prompt)
    texts = (question, row.references[0], *answers)
    return [str(row.index), *(f"<pre>{escape(text[:LONGEST])}</pre>" for text in texts)]
