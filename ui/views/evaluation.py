"""An evaluation as HTML: the sentence on top, the scores, the speed, and what it all means."""

from html import escape
from typing import NamedTuple

from engine.core.evaluation import Evaluation, Gain, Mean
from ui import kit

Names = dict[str, str]


class Metric(NamedTuple):
    """What a metric is called, and what it measures in a sentence a lay person can use."""

    name: str
    about: str


METRICS = {
    "bleu": Metric("BLEU", "How many runs of one to four words the answer shares with the "
                   "reference. Strict: a good answer in other words scores low."),
    "rouge1": Metric("ROUGE-1", "How many single words answer and reference share."),
    "rouge2": Metric("ROUGE-2", "How many pairs of neighbouring words they share."),
    "rougeL": Metric("ROUGE-L", "How much of the reference appears in the answer in the same "
                     "order, gaps allowed."),
    "meteor": Metric("METEOR", "Shared words, where word stems count as the same too, and their "
                     "order matters."),
    "exact_match": Metric("Exact match", "The share of answers that equal a reference, apart from "
                          "case, punctuation and articles."),
    "chrf": Metric("chrF", "How many short runs of letters the answer shares with the reference. "
                   "Forgives other word endings, and works in every language."),
    "rougeLsum": Metric("ROUGE-Lsum", "As ROUGE-L, but line by line: for summaries of several "
                        "lines, whatever their order."),
    "token_f1": Metric("Word F1", "How many words answer and reference share, apart from case, "
                       "punctuation and articles. For short answers to questions."),
    "numeric_match": Metric("Number match", "The share of answers that end in the right number: "
                            "1,000 is 1000, and 3/4 is 0.75."),
    "accuracy": Metric("Accuracy", "The share of answers that are the right label. For datasets "
                       "whose answers are a few fixed words."),
    "macro_f1": Metric("Macro F1", "How well each label is found, rare labels counting as much as "
                       "common ones. For at most 200 labels."),
    "json_valid": Metric("Valid JSON", "The share of answers that are JSON from beginning to end. "
                         "It does not look at the reference."),
    "json_match": Metric("Same JSON", "The share of answers that say the same as the reference, "
                         "read as JSON; spacing and the order of names do not count."),
    "edit_similarity": Metric("Edit similarity", "How few characters must change to turn the "
                              "answer into the reference."),
    "repetition": Metric("No repetition", "How little an answer repeats itself. A guard: a fall "
                         "means loops, a high score does not mean a good answer."),
}  # fmt: skip
VERDICTS: dict[str, tuple[str, kit.Tone]] = {
    "Better": ("better", "good"),
    "Worse": ("worse", "bad"),
}
HOW_TO_READ = (
    ("Score", "From 0 to 1; higher is closer to the reference answers. Compare models on the same "
     "rows only: a score by itself says little."),
    ("95 % interval", "With other questions of the same kind the score would differ a little. The "
     "interval is where it would most likely lie."),
    ("Difference", "Every question is answered by both models, and the two answers are compared. "
     "That shows smaller differences than two separate scores do."),
    ("No difference shown", "The test cannot tell the two apart. That is not proof that they are "
     "equal: more rows may show more."),
)  # fmt: skip


def called(metric: str) -> str:
    """The usual spelling of a metric's name."""
    return METRICS[metric].name if metric in METRICS else metric.replace("_", " ")


def verdict(gain: Gain) -> tuple[str, kit.Tone]:
    """What a difference amounts to, and the tone to say it in."""
    word = gain.sentence.partition(":")[0]
    return VERDICTS.get(word, ("no difference shown", "neutral"))


def sentences(found: Evaluation, names: Names, metric: str) -> str:
    """For each model but the first, whether it is better by `metric`; alone, its score."""
    base = found.models[0]
    if not found.gains:
        mean = found.means[base][metric]
        text = f"Only one model was asked, so there is nothing to compare with. {_reach(mean)}"
        return _sentence("neutral", names[base], called(metric), text)
    return "".join(
        _sentence(
            verdict(gains[metric])[1],
            names[model],
            f"against {names[base]}, by {called(metric)}",
            gains[metric].sentence,
        )
        for model, gains in found.gains.items()
    )


def table(found: Evaluation, names: Names) -> str:
    """Metrics down, models across; a tuned model's cell also says how it differs."""
    heads = "".join(
        f"<th>{escape(names[model])}{'<small>baseline</small>' if n == 0 else ''}</th>"
        for n, model in enumerate(found.models)
    )
    rows = "".join(
        f"<tr><th>{escape(called(metric))}</th>"
        + "".join(_cell(found, model, metric) for model in found.models)
        + "</tr>"
        for metric in found.metrics
    )
    return (
        f'<div class="tl-scroll"><table class="tl-scores"><thead><tr><th>Metric</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def speed(found: Evaluation, names: Names) -> str:
    """How fast each model answered, what that costs, and how many answers failed."""
    priced = any(each["usd_per_1000"] for each in found.speed.values())
    heads = ["Model", "Tokens a second", "Seconds an answer", "Slowest 5 %", "Failed"]
    heads += ["Per 1,000 answers"] if priced else []
    rows = []
    for model in found.models:
        said = found.speed[model]
        failed = sum(row.outputs[model].failed is not None for row in found.rows)
        cells = [
            f"{said['tokens_per_s']:,.1f}",
            f"{said['p50_s']:.2f}",
            f"{said['p95_s']:.2f}",
            f"{failed} of {len(found.rows):,}",
            *([f"${said['usd_per_1000']:,.2f}"] if priced else []),
        ]
        inside = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f"<tr><th>{escape(names[model])}</th>{inside}</tr>")
    titles = "".join(f"<th>{head}</th>" for head in heads)
    note = "" if priced else f'<p class="tl-hint">{NO_PRICE}</p>'
    return (
        f'<div class="tl-scroll"><table class="tl-scores tl-speed"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{note}"
    )


NO_PRICE = (
    "The cost of 1,000 answers appears here when you say what the machine costs an hour before you "
    "evaluate."
)


def signatures(found: Evaluation) -> str:
    """What exactly each metric computed, to cite beside a score; and how answers were made."""
    base = found.means[found.models[0]]
    rows = "".join(
        f"<tr><th>{escape(called(metric))}</th><td><code>{escape(base[metric].signature)}</code>"
        "</td></tr>"
        for metric in found.metrics
    )
    longest = found.decoding.get("max_new_tokens", "")
    note = (
        f"Every model answered the same {len(found.rows):,} rows, greedily (its likeliest word at "
        f"each step), with at most {longest} tokens."
    )
    return f'<table class="tl-settings"><tbody>{rows}</tbody></table><p class="tl-hint">{note}</p>'


def explained(metrics: tuple[str, ...]) -> str:
    """The words used above, each in a sentence or two."""
    known = [METRICS[metric] for metric in metrics if metric in METRICS]
    items = [*HOW_TO_READ, *known]
    inside = "".join(f"<div><dt>{escape(n)}</dt><dd>{escape(text)}</dd></div>" for n, text in items)
    return f'<dl class="tl-words">{inside}</dl>'


def _cell(found: Evaluation, model: str, metric: str) -> str:
    mean = found.means[model][metric]
    score = f"<b>{mean.score:.3f}</b><small>{mean.low:.3f} to {mean.high:.3f}</small>"
    if model not in found.gains:
        return f"<td>{score}</td>"
    gain = found.gains[model][metric]
    word, tone = verdict(gain)
    bounds = f"{_signed(gain.low)} to {_signed(gain.high)}"
    return (
        f'<td>{score}<div class="tl-gain"><span>{_signed(gain.diff)}</span>'
        f"<small>{bounds}</small>{kit.badge(word, tone)}</div></td>"
    )


def _signed(value: float) -> str:
    """Three digits and a sign; no sign before what rounds to zero."""
    text = f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if float(f"{value:.3f}") == 0 else text


def _reach(mean: Mean) -> str:
    return (
        f"Its score is {mean.score:.3f} (95 % interval {mean.low:.3f} to {mean.high:.3f}) on "
        f"{mean.n:,} rows."
    )


def _sentence(tone: str, name: str, note: str, text: str) -> str:
    word, colon, rest = text.partition(": ")
    said = f"<b>{escape(word)}.</b> {escape(rest)}" if colon else escape(text)
    return (
        f'<div class="tl-sentence tl-sentence-{tone}"><p class="tl-sentence-who">'
        f"<b>{escape(name)}</b> {escape(note)}</p><p>{said}</p></div>"
    )
