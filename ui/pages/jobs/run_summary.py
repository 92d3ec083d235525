"""A run in numbers: its losses, its time and memory against what was expected, what it answers."""

import time
from html import escape

from engine.core.job import Job
from engine.core.job_result import TrainingResult
from engine.core.shortened import shortened
from engine.core.units import memory_words
from ui.components import markup
from ui.components.event_cursor import Track, best, newest

MIB = 2**20  # memory is measured in these and told in decimal units, as estimates are
WORTH_SAYING = 0.05  # of the estimate
LONGEST_TEXT = 600  # characters of a sampled answer


def took(job: Job) -> float | None:
    """Seconds since a run started, or that it took; None while it waits."""
    if job.started_at is None:
        return None
    return max(0.0, (job.finished_at or time.time()) - job.started_at)


def numbers(job: Job, track: Track) -> str:
    """The numbers that matter for this kind of run."""
    seconds, resources = took(job), _resources(job, track)
    found = [markup.stat("Time", markup.duration(seconds))] if seconds is not None else []
    found += _expected(track)
    if track.metrics:
        found = [*_training(track), *found]
    hint = f'<p class="tl-hint">{escape(resources)}</p>' if resources else ""
    return (markup.stats(found) if found else "") + hint + _template_use(job)


def _template_use(job: Job) -> str:
    """What the chat template made of the rows of a training that is over, often nothing."""
    return "".join(
        markup.notice(one.message, "neutral" if one.severity == "info" else "warn")
        for one in job.result_as(TrainingResult).template.findings()
    )


def samples(track: Track) -> str:
    """What the model in training answered to held-out questions, the newest first."""
    if not track.samples:
        return ""
    rows = "".join(
        f"<tr><td>{escape(str(one.get('step', '')))}</td>"
        + "".join(
            f"<td>{escape(shortened(str(one.get(name) or ''), LONGEST_TEXT))}</td>"
            for name in ("prompt", "text", "reference")
        )
        + "</tr>"
        for one in reversed(track.samples)
    )
    heads = "".join(f"<th>{h}</th>" for h in ("Step", "Prompt", "Answer", "Reference"))
    return (
        '<div class="tl-part"><h3>Sample answers</h3><p>Held-out prompts, the newest '
        'step first.</p></div><div class="tl-log"><table class="tl-settings tl-even">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _training(track: Track) -> list[str]:
    found = []
    if track.progress and track.progress["total"]:
        done, total = track.progress["done"], track.progress["total"]
        found.append(markup.stat("Steps", f"{done:,}", f"of {total:,}"))
    lowest = best(track)
    if lowest is not None:
        found.append(
            markup.stat("Best held-out loss", f"{lowest[1]:.3f}", f"at step {lowest[0]:,}")
        )
    loss = newest(track, "loss")
    if loss is not None:
        found.append(markup.stat("Training loss", f"{loss:.3f}", "last step"))
    speed = newest(track, "tokens_per_s")
    if speed is not None:
        found.append(markup.stat("Speed", f"{speed:,.0f}", "tokens a second"))
    return found


def _expected(track: Track) -> list[str]:
    """Time and memory as they were estimated before the start."""
    if track.estimate is None:
        return []
    seconds = track.estimate.seconds
    low, likely, high = map(markup.duration, (seconds.low, seconds.likely, seconds.high))
    return [
        markup.stat("Estimated time", likely, f"{low} to {high}"),
        markup.stat("Estimated memory", memory_words(track.estimate.memory_needed)),
    ]


def _resources(job: Job, track: Track) -> str:
    """What it takes of this machine, or took at most."""
    cpu, used = newest(track, "cpu_percent"), newest(track, "memory_mb")
    card, peak = newest(track, "gpu_memory_mb"), job.result_as(TrainingResult).peak_memory_mb
    parts = [
        f"CPU {cpu:.0f} % (100 % is one core)" if cpu is not None and not job.over else "",
        f"memory {_memory(used)}" if used is not None and not job.over else "",
        f"GPU memory {_memory(card)}" if card is not None and not job.over else "",
        f"peak memory {_memory(peak)}{_over_estimate(track, peak)}" if peak else "",
    ]
    resources = ", ".join(part for part in parts if part)
    return resources[:1].upper() + resources[1:] + "." if resources else ""


def _over_estimate(track: Track, peak_mib: float) -> str:
    """Why the peak may lie above the estimate beside it."""
    if track.estimate is None:
        return ""
    over = peak_mib * MIB / track.estimate.memory_needed - 1
    if over < WORTH_SAYING:
        return ""
    return f" ({100 * over:.0f} % above the estimate; it also counts files mapped into memory)"


def _memory(mib: float) -> str:
    return memory_words(mib * MIB)
