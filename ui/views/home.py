"""What Home shows: the loop as a picture, the next step, the demo's report."""

from html import escape
from typing import Any

from engine.core.project import Standing, Step
from ui.kit import duration

MARK = (
    '<div class="tl-mark"><svg viewBox="0 0 32 32" fill="none" stroke="currentColor" '
    'stroke-width="3.2" stroke-linecap="round"><path d="M25.5 11A11 11 0 1 0 27 16"/>'
    '<path d="M26.5 4.5V11H20"/><circle cx="16" cy="16" r="2.6" fill="currentColor" '
    'stroke="none"/></svg><span>Tuneloop</span></div>'
)
HERO = (
    '<div class="tl-hero"><h1>Make a language model better by judging it blind.</h1>'
    "<p>Add examples, train, and rate two answers side by side without knowing which model wrote "
    "which. Your votes train the next model, and a blind round says whether it really is better, "
    "and how surely.</p></div>"
)
WORDS = {"done": "✓", "running": "", "next": "→", "todo": ""}
SPOKEN = {"done": "done", "running": "under way", "next": "next", "todo": "not yet"}
NAMES = {
    "bleu": "BLEU",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "meteor": "METEOR",
    "exact_match": "Exact match",
}


def loop(standing: Standing) -> str:
    """The eight stations as a closed track; state by shape, colour and word."""
    return f'<ol class="tl-loop">{"".join(map(_station, standing.steps))}</ol>'


def _station(step: Step) -> str:
    detail = step.detail or {"next": "your next step", "running": "under way"}.get(step.state, "")
    return (
        f'<li class="tl-{step.state}"><div class="tl-step-top">'
        f'<span class="tl-dot" role="img" aria-label="{SPOKEN[step.state]}">{WORDS[step.state]}'
        f'</span>{escape(step.title)}</div><div class="tl-step-detail">{escape(detail)}</div></li>'
    )


def next_step(standing: Standing) -> str:
    """The words beside the one button."""
    return (
        f'<div class="tl-next-words"><small>Next step</small><h3>{escape(standing.next_title)}</h3>'
        f"<p>{escape(standing.next_text)}</p></div>"
    )


def report(found: dict[str, Any]) -> str:
    """The demo's report as a card."""
    head = "".join(f"<th>{name}</th>" for name in ("", "Base", "After SFT", "After DPO"))
    rows = "".join(_row(found, metric) for metric in found["before"])
    votes = found["votes"]
    fine = (
        f"Blind round of the DPO model against the SFT model: {votes['wins']} wins, "
        f"{votes['losses']} losses, {votes['ties']} ties, {votes['both_bad']} both bad. "
        f"{found['pairs']} training pairs from {found['rated']} votes. Raters were simulated: "
        f"{found['rater']['stated']} Held-out rows: {found['held_out_rows']}; intervals at 95 %. "
        f"It took {duration(found['seconds'])} on {found['cores']} cores. {found['cost_note']}"
    )
    return (
        '<div class="tl-report"><h3>What the loop showed</h3>'
        f'<p class="tl-verdict">{escape(found["sentence"])}</p>'
        f'<div class="tl-scroll"><table class="tl-table"><tr>{head}</tr>{rows}</table></div>'
        f'<p class="tl-fine">{escape(fine)}</p></div>'
    )


def _row(found: dict[str, Any], metric: str) -> str:
    cells = "".join(_cell(found[stage][metric]) for stage in ("before", "sft", "after"))
    return f"<tr><td>{escape(NAMES.get(metric, metric))}</td>{cells}</tr>"


def _cell(mean: dict[str, Any]) -> str:
    bounds = f"{mean['low']:.2f} to {mean['high']:.2f}"
    return f"<td>{mean['score']:.2f} <small>{bounds}</small></td>"
