"""Words for jobs that every page shares: state, turn, time, progress, what an export made."""

from html import escape
from urllib.parse import quote

from engine.core.job import Job, State
from engine.core.job_result import ExportResult
from engine.services.jobs import lifecycle
from engine.services.jobs.queue_position import Waiting
from ui.components import markup
from ui.components.event_cursor import Track

STATES: dict[State, tuple[str, markup.Tone]] = {
    State.QUEUED: ("waiting", "neutral"),
    State.RUNNING: ("running", "busy"),
    State.DONE: ("done", "good"),
    State.FAILED: ("failed", "bad"),
    State.CANCELLED: ("stopped", "neutral"),
}
NO_WORKER = "No worker is running, so no job starts. Start one with:"
# what is lost where a job stops, by its kind; a training is told apart by what it makes
STOP = {
    "export": "Stop this export? No files are made.",
    "evaluate": "Stop this evaluation? It gives no scores.",
    "sweep": "Stop this search? It keeps its finished trials.",
    "generate": "Stop writing answers? The round that waits for them fails.",
}
STOP_TRAINING = (
    "Stop this training? It makes no model, and can resume later from its last checkpoint."
)
STOP_OTHER = "Stop this job? It ends after its current step."
# what a count of an export counts; other labels of a job are sentences already
LABELS = {"answers": "Comparing answers", "files": "Sending files"}


def state(job: Job) -> str:
    """The state as a badge."""
    if job.cancel_requested and not job.over:
        return markup.badge("stopping", "warn")
    return markup.badge(*STATES[job.state])


def stop_question(job: Job) -> str:
    """What a person is asked before a job stops: what is lost by it."""
    training = lifecycle.trains(job.kind)
    return STOP_TRAINING if training else STOP.get(job.kind, STOP_OTHER)


def stopped(job: Job) -> str:
    """That a person stopped a job, and what it did not make."""
    lost = "; no model was made" if lifecycle.trains(job.kind) else ""
    lost = "; no files were made" if job.kind == "export" else lost
    return f"Stopped by a person{lost}."


def moment(job: Job) -> str:
    """When a job started, or was queued where it has not, said with the word for it."""
    if job.started_at is None:
        return f"Queued {markup.when(job.created_at)}"
    return f"Started {markup.when(job.started_at)}"


def waiting(job: Job, waits: Waiting | None) -> str:
    """How many are before a queued job, and when it starts where one can tell; else nothing."""
    if job.state is not State.QUEUED:
        return ""
    if waits is None or not waits.place:
        return "next to start"
    soon = waits.starts_in_s
    return f"{waits.place} before it" + (
        f", starts in about {markup.duration(soon)}" if soon is not None else ""
    )


def turn(job: Job, waits: Waiting | None, alive: bool) -> str:
    """The turn of a queued job as a notice, or that no worker takes it."""
    if not alive:
        return markup.notice(NO_WORKER, "warn", "tuneloop worker")
    words = waiting(job, waits)
    return markup.notice(f"{words[:1].upper()}{words[1:]}.", "neutral")


def progress(job: Job, track: Track, starting: str) -> str:
    """How far a running job is; before that its newest line, or `starting` where it said none."""
    far = track.progress
    if far and far["total"]:
        label = LABELS.get(far["label"], far["label"]) if job.kind == "export" else far["label"]
        return markup.progress(far["done"], far["total"], label, far.get("eta_s"))
    newest = track.logged[-1] if job.kind == "export" and track.logged else starting
    return markup.notice(newest, "busy")


def exported(job_id: str, result: ExportResult) -> str:
    """What an export made: its certificate, where it was pushed, and its files to download."""
    size = sum(file.bytes for file in result.files) / 1e6
    proof = result.certificate
    tone: markup.Tone = ("good" if proof.holds else "warn") if proof else "neutral"
    link = f"downloads/exports/{quote(job_id, safe='')}"
    pushed = (
        f"<p>On the Hub: {escape(result.url or '')}, commit {escape(result.commit or '')[:12]}.</p>"
    )
    return (
        f"{markup.notice(result.sentence, tone)}{pushed if result.url else ''}"
        '<nav class="tl-downloads" aria-label="Files">'
        f'<a class="tl-download" href="{link}" download>'
        f"Download ({len(result.files)} files, {size:,.1f} MB)</a></nav>"
    )
