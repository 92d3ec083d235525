"""Runs as HTML: the list, and one of them opened."""

import time
from collections.abc import Mapping
from html import escape
from typing import Any

from engine.core.export import Certificate
from engine.core.job import Job, State
from engine.core.job_result import (
    BenchmarkResult,
    CurveResult,
    DemoResult,
    EvaluationResult,
    ExportResult,
    SweepResult,
    TrainingResult,
    WrittenResult,
)
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS
from engine.services import exports
from engine.services.evaluation.metrics import title as metric_title
from engine.services.jobs import kinds
from engine.services.jobs.queue_position import Waiting
from ui.components import choice_cards, job_words, markup
from ui.components.event_cursor import Track
from ui.pages.jobs.run_summary import numbers, took

ERROR_IN_LIST = 90  # characters
TOO_FEW = (
    f"{{held_out}} rows were held out, fewer than {FEWEST_HELD_OUT_PAIRS}: their loss would choose "
    "a state by chance, so the last one was kept."
)
OVERFIT = (
    "Overfitting: the held-out loss rose from its lowest while the training loss went on falling. "
    "Fewer epochs or more rows help."
)


def kind(job: Job) -> str:
    """What a job does, by the name of its kind; of an export also the format, unless named so."""
    title = kinds.title(job.kind)
    to = exports.format_name(job.recipe) if job.kind == exports.KIND else ""
    return f"{title} · {to}" if to and to not in job.name else title


def outcome(job: Job) -> str:
    """What came out of it in a few words, as text."""
    if job.state is State.FAILED:
        return _cut(job.error or "It failed.")
    return _found(job) if job.state is State.DONE else ""


def _found(job: Job) -> str:
    match job.result:
        case TrainingResult(best_train_loss=float()) as result:
            return _losses(result)
        case CurveResult() | SweepResult() | BenchmarkResult() as result:
            return _cut(result.sentence)
        case EvaluationResult() as result:
            models = len(result.means)
            return f"{models} model{'s' if models != 1 else ''} on {result.rows:,} rows"
        case WrittenResult() as result:
            to = f" to {result.prompts:,} questions" if result.prompts else ""
            return f"{result.answers:,} answers{to}"
        case ExportResult(certificate=Certificate() as proof):
            return f"same text on {proof.same} of {proof.n} prompts"
        case DemoResult() as result if result.report:
            return f"win rate {markup.percent(result.report.win_rate)}"
    return ""


def cards(
    found: list[Job], chosen: str, waits: dict[str, Waiting], tracks: Mapping[str, Track]
) -> str:
    """The list of runs, one of them marked."""
    made = [choice_cards.Pick(job.id, _card(job, waits, tracks)) for job in found]
    return choice_cards.cards(made, chosen)


def top(
    job: Job,
    track: Track,
    waits: Waiting | None,
    names: dict[str, str],
    alive: bool,
    goes_on: bool = False,
) -> str:
    """Of an opened run: what it is, how far it is, what went wrong, and its numbers.

    `goes_on`: it broke off and left a checkpoint.
    """
    return (
        f'<div class="tl-run-head"><div><h3>{escape(job.name)}</h3>'
        f"<p>{escape(about(job, names))}</p></div>{job_words.state(job)}</div>{_note(job)}"
        f"{_state_notice(job, track, waits, alive, goes_on)}{numbers(job, track)}{_warning(job)}"
    )


def about(job: Job, names: dict[str, str]) -> str:
    """Kind, models and dataset of a run in one line of text."""
    recipe = job.recipe
    used = [names[each] for each in _models(recipe) if each in names]
    data = names.get(str(recipe.get("dataset")), "")
    parts = [kind(job), *([" and ".join(used)] if used else []), *([data] if data else [])]
    return " · ".join(parts)


def log(track: Track) -> str:
    """The lines a run said, newest last."""
    if not track.lines:
        return '<p class="tl-hint">No log lines yet.</p>'
    rows = "".join(
        f"<div><time>{time.strftime('%H:%M:%S', time.localtime(at))}</time>"
        f"<span>{escape(text)}</span></div>"
        for at, text in track.lines
    )
    return f'<div class="tl-log">{rows}</div>'


def report(job: Job) -> str:
    """What an export made or the demo found; nothing for other runs."""
    if isinstance(job.result, ExportResult) and job.state is State.DONE:
        return job_words.exported(job.id, job.result)
    demo_report = job.result_as(DemoResult).report
    if not demo_report:
        return ""
    tone: markup.Tone = "good" if demo_report.decision == "better" else "neutral"
    gains = "".join(
        f"<li><b>{escape(metric_title(metric))}</b> {escape(text)}</li>"
        for metric, text in demo_report.gains.items()
    )
    note = (
        f"Simulated raters voted by a stated rule: {demo_report.rater.stated} "
        f"{demo_report.pairs:,} pairs were made of {demo_report.rated:,} votes."
    )
    return (
        f"{markup.notice(demo_report.sentence, tone)}<p class='tl-hint'>{escape(note)}</p>"
        f'<ul class="tl-gains">{gains}</ul>'
    )


def _card(job: Job, waits: dict[str, Waiting], tracks: Mapping[str, Track]) -> str:
    words = outcome(job) or job_words.waiting(job, waits.get(job.id))
    note = " · ".join(part for part in (kind(job), words) if part)
    seconds = took(job)
    foot = f"<span>{job_words.moment(job)}</span>"
    foot += "".join(f"<span>#{escape(tag)}</span>" for tag in job.tags)
    foot += f"<span>{markup.duration(seconds)}</span>" if seconds is not None else ""
    track = tracks.get(job.id, Track())
    bar = _bar(track) if job.state is State.RUNNING else ""
    return (
        f'<div class="tl-card-head"><b>{escape(job.name)}</b>{job_words.state(job)}</div>'
        f'<p class="tl-card-note">{escape(note)}</p>{bar}<div class="tl-card-foot">{foot}</div>'
    )


def _bar(track: Track) -> str:
    far = track.progress
    share = min(1.0, far["done"] / far["total"]) if far and far["total"] else 0.0
    return f'<div class="tl-thin"><span style="width:{share:.1%}"></span></div>'


def _state_notice(job: Job, track: Track, waits: Waiting | None, alive: bool, goes_on: bool) -> str:
    if job.state is State.FAILED:
        return markup.notice(job.error or "It failed; the log has the details.", "bad")
    if job.state is State.QUEUED:
        return job_words.turn(job, waits, alive)
    if job.state is State.CANCELLED:
        more = " It can resume from its last checkpoint." if goes_on else ""
        return markup.notice(job_words.stopped(job) + more, "neutral")
    if job.state is State.RUNNING:
        return job_words.progress(job, track, "Loading the model.")
    return ""


def _note(job: Job) -> str:
    return f'<p class="tl-hint">{escape(job.note)}</p>' if job.note else ""


def _warning(job: Job) -> str:
    result = job.result_as(TrainingResult)
    few = TOO_FEW.format(held_out=result.held_out_rows)
    return (markup.notice(OVERFIT, "warn") if result.overfit else "") + (
        markup.notice(few) if result.too_few_held_out else ""
    )


def _models(recipe: Mapping[str, Any]) -> list[str]:
    several = recipe.get("models")
    if several:
        return [str(each) for each in several]
    one = [recipe.get("model"), recipe.get("model_new"), recipe.get("model_base")]
    return list(dict.fromkeys(str(each) for each in one if each))


def _losses(result: TrainingResult) -> str:
    first, kept = result.first_held_out_loss, result.best_held_out_loss
    if first is not None and kept is not None:
        return f"held-out loss {first:.2f} → {kept:.2f}"
    first, last = result.first_train_loss, result.last_train_loss
    return "" if first is None or last is None else f"training loss {first:.2f} → {last:.2f}"


def _cut(text: str) -> str:
    return text if len(text) <= ERROR_IN_LIST else text[: ERROR_IN_LIST - 1].rstrip() + "…"
