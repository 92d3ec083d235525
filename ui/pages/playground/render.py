"""Answers of the playground as HTML, side by side while they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape

from engine.core.event import Event, SampleEvent
from engine.core.job import Job, State
from engine.core.job_result import PlayedAnswer, PlayResult
from engine.core.shortened import shortened
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import choice_cards, markup, names
from ui.components.refresh import Drawn
from ui.pages.evaluation.render import Names
from ui.web.session import who

LONG_PROMPT = 600  # characters, above the answers
SHOWN_PROMPT = 120  # characters, in the list of earlier questions
HISTORY = 12


@dataclass(frozen=True)
class Talk(Drawn):
    """What one browser session knows of one question: the job and the texts so far, by model id."""

    job: str = ""
    seq: int = 0
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)
    done: frozenset[str] = frozenset()


def follow(ws: Workspace, talk: Talk, job: Job) -> Talk:
    """`talk` with what the models wrote since."""
    return taken(talk, lifecycle.watch(ws, who(ws), job.id, talk.seq))


def taken(talk: Talk, events: list[Event]) -> Talk:
    """`talk` with `events` added: each carries the whole text so far."""
    texts, done = dict(talk.texts), set(talk.done)
    for event in events:
        if isinstance(event, SampleEvent) and "model" in event.data:
            texts[event.data["model"]] = event.data["text"]
            if event.data["done"]:
                done.add(event.data["model"])
    seq = events[-1].seq if events else talk.seq
    return replace(talk, seq=seq, texts=texts, done=frozenset(done))


def answers(job: Job, talk: Talk, called: Names, alive: bool) -> str:
    """The question and a column for every model, in the order asked."""
    columns = "".join(_column(job, talk, model, called) for model in job.recipe["models"])
    return (
        f'<div class="tl-asked"><small>{escape(settings(job))}</small>'
        f"{_question(job.recipe['prompt'])}</div>{status(job, talk, alive)}"
        f'<div class="tl-sides">{columns}</div>'
    )


def _question(prompt: str) -> str:
    """The prompt; of a long one the beginning, so that what came of it is in sight."""
    if len(prompt) <= LONG_PROMPT:
        return f"<p>{escape(prompt)}</p>"
    begun = escape(prompt[: LONG_PROMPT - 1].rstrip())
    return (
        f"<p>{begun}…</p><details><summary>The whole prompt, {len(prompt):,} characters</summary>"
        f"<p>{escape(prompt)}</p></details>"
    )


def status(job: Job, talk: Talk, alive: bool) -> str:
    """Why there is nothing to read yet, or what went wrong."""
    if job.state is State.FAILED:
        return markup.notice(job.error or "It failed; the log has the details.", "bad")
    if job.state is State.CANCELLED:
        return markup.notice("Stopped before the answers were whole.", "neutral")
    if job.over or talk.texts:
        return ""
    if not alive:
        return markup.notice("No worker is running. Start one with:", "warn", "tuneloop worker")
    return markup.notice("The models get ready; after a pause they are loaded again first.", "busy")


def settings(job: Job) -> str:
    """How the answers were made, in a few words."""
    recipe = job.recipe
    heat = recipe["temperature"]
    how = f"temperature {heat:g}, seed {recipe['seed']}" if heat else "greedy (temperature 0)"
    system = " · with a system prompt" if recipe["system"] else ""
    return f"{how} · up to {recipe['max_new_tokens']} tokens{system}"


def history(found: list[Job], shown: str, called: Names) -> str:
    """Earlier questions as cards, the newest first."""
    return choice_cards.cards(
        [choice_cards.Pick(job.id, _card(job, called)) for job in found[:HISTORY]], shown
    )


def _column(job: Job, talk: Talk, model: str, called: Names) -> str:
    answer = job.result_as(PlayResult).answers.get(model)
    text = answer.text if answer else talk.texts.get(model, "")
    writing = not job.over and model not in talk.done
    caret = '<span class="tl-caret"></span>' if writing and text else ""
    waits = writing and not text
    inside = '<span class="tl-hint">waits</span>' if waits else escape(text) + caret
    if not text and not writing:
        why = "an empty answer" if job.state is State.DONE else "nothing written"
        inside = f'<span class="tl-hint">{why}</span>'
    return (
        '<div class="tl-answer"><div class="tl-answer-head">'
        f"<b>{escape(called.get(model, names.GONE))}</b></div>"
        f'<div class="tl-answer-text">{inside}</div>'
        f'<div class="tl-answer-foot">{_measured(answer)}</div></div>'
    )


def _measured(answer: PlayedAnswer | None) -> str:
    if answer is None:
        return ""
    cut = "" if answer.finished else "<span>cut at the limit</span>"
    return f"<span>{answer.tokens:,} tokens</span><span>{answer.seconds:.1f} s</span>{cut}"


def _card(job: Job, called: Names) -> str:
    cut = shortened(" ".join(str(job.recipe["prompt"]).split()), SHOWN_PROMPT)
    models = ", ".join(called.get(model, names.GONE) for model in job.recipe["models"])
    return (
        f'<p class="tl-asked-short">{escape(cut)}</p><div class="tl-card-foot">'
        f"<span>{escape(models)}</span><span>{markup.when(job.created_at)}</span></div>"
    )
