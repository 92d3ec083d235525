"""The chosen generation in words and numbers, the champion, and when to stop."""

from collections.abc import Sequence
from html import escape

from engine.core.evaluation import RegressionAnswer
from engine.core.job import Job, State
from engine.core.job_result import LoopResult
from engine.services.evaluation import blind_round_gate
from engine.services.loop.champion import Promotion
from engine.services.loop.generations import Generation, History, Tested
from engine.services.loop.stop_rules import Rule
from ui.components import markup
from ui.components.event_cursor import Track
from ui.pages.evaluation.render import answer_badge

RULES = {
    "gain": "Little gained",
    "regression": "Regression",
    "quality": "No difference to see",
    "budget": "Votes used",
    "ceiling": "As good as raters can tell",
}


def headline(seen: History) -> str:
    """The one sentence made from the numbers."""
    return f'<div class="tl-line-said"><p>{escape(markup.tight(seen.sentence))}</p></div>'


def generation(one: Generation, name: str, *, repeated: bool, stale: str = "") -> str:
    """All that is known of a generation; its sentence only where it is not `repeated` from above.

    `stale` says that votes it learned from have gone.
    """
    tested = one.against_baseline
    found = [
        markup.stat("wins against the baseline", *_rate(tested)),
        markup.stat("wins against the one before", *_rate(one.against_previous)),
        markup.stat("wins at equal lengths", _length(one)),
        markup.stat("raters agree", *_agreement(one)),
        markup.stat("questions", f"{tested.report.tally.prompts}" if tested else "–",
                 f"{tested.fresh} not asked before" if tested else ""),
        markup.stat("learned from", f"{one.pairs} pairs" if one.pairs else "–", _sha(one)),
    ]  # fmt: skip
    head = markup.part(f"Generation {one.number}: {name}", "" if repeated else one.sentence)
    warned = markup.notice(stale, "warn") if stale else ""
    return f"{head}{warned}{markup.stats(found)}{_regression_checks(one)}"


def _rate(one: Tested | None) -> tuple[str, str]:
    """A win rate and, as its note, its interval; a dash without votes."""
    verdict = one.report.verdict if one else None
    if verdict is None or not verdict.n:
        return "–", ""
    bounds = f"{markup.percent(verdict.low)} to {markup.percent(verdict.high)}"
    return markup.percent(verdict.win_rate), f"{bounds}, ties as half"


def _length(one: Generation) -> str:
    found = one.against_baseline.report.length if one.against_baseline else None
    return "–" if found is None or found.win_rate is None else markup.percent(found.win_rate)


def _agreement(one: Generation) -> tuple[str, str]:
    """How often two raters chose alike, the least share flipped, and Krippendorff's alpha."""
    found = one.against_baseline.report.agreement if one.against_baseline else None
    if found is None or found.raw is None:
        return "–", ""
    noise = "" if found.noise is None else f"at least {markup.percent(found.noise)} flipped"
    alpha = "" if found.alpha is None else f"α {found.alpha:.2f}"
    return markup.percent(found.raw), ", ".join(part for part in (noise, alpha) if part)


def _sha(one: Generation) -> str:
    return f"fingerprint {one.export_sha256[:10]}" if one.export_sha256 else ""


def _regression_checks(one: Generation) -> str:
    if not one.regression_checks:
        return '<p class="tl-hint">No evaluation has compared it with the model it began as.</p>'
    items = "".join(
        f"<li>{answer_badge(each)} {escape(each.sentence)}</li>" for each in one.regression_checks
    )
    listed = f'<ul class="tl-held">{items}</ul>'
    if any(each.answer is not RegressionAnswer.HELD for each in one.regression_checks):
        return listed
    checks = escape(blind_round_gate.sentence(one.regression_checks))
    return f'<details class="tl-hint"><summary>{checks}</summary>{listed}</details>'


def champion(seen: History, called: dict[str, str], decided: Sequence[Promotion]) -> str:
    """Who is champion, since when and why; what was decided before."""
    if seen.champion_id is None:
        return markup.part("Champion", "Nobody yet. Promote a generation that people found better.")
    name = called.get(seen.champion_id, "a model that has gone")
    shown = "" if decided else name  # the first line below names it
    rows = "".join(
        f"<li><b>{escape(called.get(each.model_id, 'a model that has gone'))}</b> "
        f"{escape(each.reason)} <span>{markup.when(each.created_at)}, "
        f"chosen by {escape(each.created_by)}</span></li>"
        for each in decided
    )
    return f'{markup.part("Champion", shown)}<ul class="tl-held">{rows}</ul>'


def rules(found: Sequence[Rule]) -> str:
    """When to stop: five rules and what each says now."""
    rows = "".join(
        f"<li>{markup.badge('stop' if each.stop else 'go on', 'warn' if each.stop else 'good')} "
        f"<b>{RULES[each.name]}</b> {escape(each.sentence)}</li>"
        for each in found
    )
    return f'<ul class="tl-held">{rows}</ul>'


def progress(job: Job | None, track: Track) -> str:
    """The progress of the auto loop, every step it took, and why it ended."""
    if job is None:
        return ""
    listed = "".join(f"<li>{escape(step)}</li>" for step in track.logged)
    below = f'<ol class="tl-steps">{listed}</ol>' if track.logged else ""
    if job.state is State.FAILED:
        return markup.notice(f"The loop stopped early. {job.error or ''}", "bad") + below
    if job.state is State.CANCELLED:
        return (
            markup.notice("The loop was stopped. Start it again to go on where it stood.") + below
        )
    if job.state is State.DONE:
        return markup.notice(job.result_as(LoopResult).ended or "It is over.", "good") + below
    newest = track.progress
    bar = (
        markup.progress(newest["done"], newest["total"], newest["label"])
        if newest
        else markup.progress(0, 1, "The loop waits for a worker")
    )
    return bar + below
