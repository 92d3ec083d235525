"""An evaluation as HTML: the sentence on top, the scores, the speed, and what it all means."""

from collections.abc import Sequence
from html import escape

from engine.core.evaluation import (
    Evaluation,
    Gain,
    GainDecision,
    Mean,
    RegressionAnswer,
    RegressionCheck,
)
from engine.core.evaluation_sentences import ROWS, Unit, baseline_title, caveat, label
from engine.services.evaluation import metrics
from engine.services.evaluation.recommendation import AfterEvaluation
from ui.components import markup

Names = dict[str, str]

TONES: dict[GainDecision, markup.Tone] = {
    GainDecision.BETTER: "good",
    GainDecision.WORSE: "bad",
}
NEXT = {
    AfterEvaluation.COMPARE: "Evaluate {model} beside another model to see a difference.",
    AfterEvaluation.TRAIN: "{model} lost against the model before; change the training and repeat.",
    AfterEvaluation.RATE: "Let people rate the answers of {model} without knowing the model.",
}
HOW_TO_READ = (
    ("Score", "From 0 to 1; higher is closer to the reference answers. Compare models on the same "
     "rows only: a score by itself says little."),
    ("95 % interval", "With other questions of the same kind the score would differ a little. The "
     "interval is where it would most likely lie. Where few rows decide it may be too narrow."),
    ("Difference", "Every question is answered by both models, and the two answers are compared. "
     "That shows smaller differences than two separate scores do."),
    ("No model", "Answers anybody can give without a model: the question itself, the most frequent "
     "answer, the answer of the most similar training row. A model should beat them all."),
    ("No difference shown", "The test cannot tell the two apart. That is not proof that they are "
     "equal: more rows may show more."),
)  # fmt: skip


def decision_badge(gain: Gain, unit: Unit = ROWS) -> str:
    """The decision on a difference as a coloured label."""
    return markup.badge(label(gain.decision, unit), TONES.get(gain.decision, "neutral"))


def next_words(step: AfterEvaluation, model: str) -> str:
    """The next step in a sentence, beside its button."""
    return (
        '<div class="tl-next-words"><small>Next step</small>'
        f"<p>{escape(NEXT[step].format(model=model))}</p></div>"
    )


def sentences(evaluation: Evaluation, names: Names, metric: str) -> str:
    """For each model but the first, whether it is better by `metric`, and whether that is much."""
    base = evaluation.models[0]
    if not evaluation.gains:
        mean = evaluation.means[base][metric]
        text = f"Only one model was asked, so there is nothing to compare with. {_reach(mean)}"
        statement = _statement(
            "neutral", f"<b>{escape(names[base])}</b> {escape(metrics.title(metric))}", text
        )
        return statement + _over_baseline(evaluation, names, base, metric)
    return "".join(
        _comparison(
            gains[metric], names[model], f"against {names[base]}, by {metrics.title(metric)}"
        )
        + _over_baseline(evaluation, names, model, metric)
        for model, gains in evaluation.gains.items()
    ) + _comparisons(evaluation)


def strongest(evaluation: Evaluation, metric: str) -> str | None:
    """What needs no model and scores highest by `metric`; None where nothing was worked out."""
    known = [plain for plain, means in evaluation.baselines.items() if metric in means]
    return max(known, key=lambda plain: evaluation.baselines[plain][metric].score, default=None)


def _over_baseline(evaluation: Evaluation, names: Names, model: str, metric: str) -> str:
    """The comparison with the strongest answer that needs no model: a low bar, but a bar."""
    plain = strongest(evaluation, metric)
    gains = evaluation.over_baselines.get(model, {}).get(plain or "", {})
    if plain is None or metric not in gains:
        return ""
    note = f"against no model at all: {_small(baseline_title(plain))}"
    return _comparison(gains[metric], names[model], note)


def _comparisons(evaluation: Evaluation) -> str:
    count = sum(len(gains) for gains in evaluation.gains.values())
    if count < 2:
        return ""
    return (
        f'<p class="tl-hint">{count} comparisons with the first model were made. The more one '
        "looks, the more often chance alone shows a winner; every verdict on them allows for all "
        "of them (Holm's method).</p>"
    )


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def table(evaluation: Evaluation, names: Names) -> str:
    """Metrics down, models across; a tuned model's cell also says how it differs."""
    heads = "".join(
        f"<th>{escape(names[model])}{'<small>baseline</small>' if n == 0 else ''}</th>"
        for n, model in enumerate(evaluation.models)
    ) + "".join(
        f"<th>{escape(baseline_title(plain))}<small>no model</small></th>"
        for plain in evaluation.baselines
    )
    rows = "".join(
        f"<tr><th>{escape(metrics.title(metric))}</th>"
        + "".join(_cell(evaluation, model, metric) for model in evaluation.models)
        + "".join(_plain_cell(means.get(metric)) for means in evaluation.baselines.values())
        + "</tr>"
        for metric in evaluation.metrics
    )
    return (
        f'<div class="tl-scroll"><table class="tl-scores"><thead><tr><th>Metric</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    ) + cautions(
        [
            (f"{metrics.title(metric)}, {names.get(who, baseline_title(who))}", means[metric])
            for who, means in (evaluation.means | evaluation.baselines).items()
            for metric in means
        ]
    )


def over_plain(evaluation: Evaluation, names: Names, metric: str) -> str:
    """How far every model is above, or below, each answer that needs no model; by one metric."""
    gains = {m: over for m, over in evaluation.over_baselines.items() if over}
    if not gains:
        return ""
    heads = "".join(f"<th>{escape(names[model])}</th>" for model in gains)
    rows = ""
    for plain in evaluation.baselines:
        cells = "".join(_gain_cell(over[plain].get(metric)) for over in gains.values())
        rows += f"<tr><th>{escape(baseline_title(plain))}</th>{cells}</tr>"
    return (
        '<div class="tl-scroll"><table class="tl-scores tl-above"><thead><tr>'
        f"<th>{escape(metrics.title(metric))} above</th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _gain_cell(gain: Gain | None) -> str:
    if gain is None:
        return "<td></td>"
    bounds = f"{_signed(gain.low)} to {_signed(gain.high)}"
    return f"<td><b>{_signed(gain.diff)}</b><small>{bounds}</small> {decision_badge(gain)}</td>"


ANSWERS: dict[RegressionAnswer, tuple[str, markup.Tone]] = {
    RegressionAnswer.REGRESSED: ("regressed", "bad"),
    RegressionAnswer.NOT_SHOWN: ("not ruled out", "warn"),
    RegressionAnswer.HELD: ("holds", "good"),
}


def answer_badge(check: RegressionCheck) -> str:
    """Of the three answers of a regression check its badge."""
    return markup.badge(*ANSWERS[check.answer])


def signatures(evaluation: Evaluation) -> str:
    """What exactly each metric computed, to cite beside a score; and how answers were made."""
    base = evaluation.means[evaluation.models[0]]
    rows = "".join(
        f"<tr><th>{escape(metrics.title(metric))}</th><td><code>{escape(base[metric].signature)}</code>"
        "</td></tr>"
        for metric in evaluation.metrics
    )
    longest = evaluation.decoding.get("max_new_tokens", "")
    note = (
        f"Every model answered the same {len(evaluation.rows):,} rows, greedily (its likeliest "
        f"word at each step), with at most {longest} tokens."
    )
    return f'<table class="tl-settings"><tbody>{rows}</tbody></table><p class="tl-hint">{note}</p>'


def explained(names: tuple[str, ...]) -> str:
    """The words used above, each in a sentence or two."""
    items = [*HOW_TO_READ, *((metrics.title(n), metrics.summary(n)) for n in names)]
    inside = "".join(
        f"<div><dt>{escape(n)}</dt><dd>{escape(text)}</dd></div>" for n, text in items if text
    )
    return f'<dl class="tl-words">{inside}</dl>'


def _plain_cell(mean: Mean | None) -> str:
    if mean is None:
        return "<td></td>"
    return f"<td>{score(mean)}</td>"


def score(mean: Mean) -> str:
    """A score with its interval, and a mark where few rows decide it."""
    few = "<small>few rows decide</small>" if mean.few_decide else ""
    return f"<b>{mean.score:.3f}</b><small>{mean.low:.3f} to {mean.high:.3f}</small>{few}"


def cautions(means: Sequence[tuple[str, Mean]]) -> str:
    """Below scores that are marked so: what few rows mean for the most doubtful of them."""
    marked = [(name, mean) for name, mean in means if mean.few_decide]
    if not marked:
        return ""
    name, worst = min(marked, key=lambda one: (one[1].deciding or 0) / one[1].n)
    others = len(marked) - 1
    more = f" The same holds for {others} other{'s' if others > 1 else ''}." if others else ""
    return f'<p class="tl-hint"><b>{escape(name)}.</b> {escape(caveat(worst) + more)}</p>'


def _cell(evaluation: Evaluation, model: str, metric: str) -> str:
    mean = evaluation.means[model][metric]
    cell = score(mean)
    cell += f'<div class="tl-hint">{mean.failed:,} failed</div>' if mean.failed else ""
    if model not in evaluation.gains:
        return f"<td>{cell}</td>"
    gain = evaluation.gains[model][metric]
    bounds = f"{_signed(gain.low)} to {_signed(gain.high)}"
    return (
        f'<td>{cell}<div class="tl-gain"><span>{_signed(gain.diff)}</span>'
        f"<small>{bounds}</small>{decision_badge(gain)}</div></td>"
    )


def _signed(value: float) -> str:
    """Three digits and a sign; no sign before what rounds to zero."""
    text = f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if float(f"{value:.3f}") == 0 else text


def _reach(mean: Mean) -> str:
    return (
        f"Its score is {mean.score:.3f} (95 % interval {mean.low:.3f} to {mean.high:.3f}) on "
        f"{mean.n:,} rows." + (f" {warning}" if (warning := caveat(mean)) else "")
    )


def _comparison(gain: Gain, name: str, note: str) -> str:
    """A card in the colour of the decision: who was compared, and the sentence."""
    about = f"<b>{escape(name)}</b> {escape(note)}"
    return _statement(TONES.get(gain.decision, "neutral"), about, gain.sentence)


def _statement(tone: markup.Tone, about: str, text: str) -> str:
    """`about` is HTML, `text` is not."""
    return (
        f'<div class="tl-sentence tl-sentence-{tone}"><p class="tl-sentence-who">{about}</p>'
        f"<p>{escape(text)}</p></div>"
    )
