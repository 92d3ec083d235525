"""What the panel of the Hub shows, as HTML: results, the facts of a base, downloads."""

from collections.abc import Mapping, Sequence
from html import escape

from engine.core import hub_words
from engine.core.actor import LOCAL
from engine.core.hub import CatalogEntry, HubBase, HubMatch, HubSearch
from engine.core.job import Job, State
from engine.core.units import memory_words, number_words
from engine.services import hub
from engine.services.jobs.queue_position import Waiting
from ui.components import choice_cards, event_cursor, job_words, markup
from ui.components.choice_cards import Pick
from ui.components.event_cursor import Track
from ui.components.refresh import Drawn

REMOVAL = (
    "Files that Tuneloop downloaded are deleted; a folder of your own stays. A base that an "
    "adapter needs cannot be removed."
)


def suggestions() -> str:
    """Good first bases, which are known without a network."""
    catalog = hub.catalog(LOCAL)
    head = markup.part("Good first bases", f"By size, as of {catalog.dated}.")
    return head + choice_cards.cards([Pick(one.name, _entry(one)) for one in catalog.bases])


def results(found: HubSearch, words: str) -> str:
    """What a search found; where it found nothing, why, and good first bases."""
    if found.problem:
        return markup.notice(found.problem, "warn") + suggestions()
    if not found.models:
        text = f"Nothing on the Hub has {words.strip()!r} in its name." if words.strip() else ""
        return (markup.notice(text) if text else "") + suggestions()
    picks = [Pick(one.name, _match(one)) for one in found.models]
    return markup.part("On the Hub", "The most downloaded first.") + choice_cards.cards(picks)


def facts(base: HubBase) -> str:
    """The card of a base before anything is downloaded."""
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
        for label, value in hub_words.facts(base)
        if value != base.name
    )
    notes = "".join(markup.notice(" ".join(text), "bad") for text in hub_words.obstacles(base))
    if base.model_id:
        notes = markup.notice("This commit is here already.", "good")
    link = (
        f'<a href="{escape(base.terms_url)}" target="_blank" rel="noopener noreferrer">'
        "Its page on the Hub</a>"
    )
    return (
        f'<div class="tl-card tl-hub-card"><div class="tl-card-head"><b>{escape(base.name)}</b>'
        f"{_state(base)}</div>{notes}"
        f'<dl class="tl-facts">{rows}</dl><p class="tl-hint">{hub_words.ESTIMATE}</p>'
        f'<div class="tl-card-foot"><span>{link}</span></div></div>'
    )


def downloads(jobs: Sequence[Job], view: Drawn, waits: Mapping[str, Waiting]) -> str:
    """A card for each download; empty where there is none. One that is done is a base above."""
    shown = [job for job in jobs if job.state is not State.DONE]
    if not shown:
        return ""
    cards = "".join(_download(job, view.track(job.id), waits.get(job.id)) for job in shown)
    return markup.part("Downloads") + f'<div class="tl-cards tl-cards-wide">{cards}</div>'


def removed(name: str, freed: int) -> str:
    """That a base has gone, and what that gives."""
    gives = f" {memory_words(freed)} are free again." if freed else ""
    return f"{name} is in no list any more.{gives}"


def _state(base: HubBase) -> str:
    if base.model_id:
        return markup.badge("here", "good")
    if base.obstacles:
        return markup.badge("cannot be added", "bad")
    return markup.badge("can be added", "good")


def _entry(one: CatalogEntry) -> str:
    return _row(one.name, one.parameters, one.licence, one.gated) + (
        f"<p>{escape(one.good_for[:1].upper() + one.good_for[1:])}. "
        f"Context {one.context:,} tokens. {_sentence(hub_words.unchecked(one))}</p>"
    )


def _sentence(text: str) -> str:
    return f"{escape(text)}." if text else ""


def _match(one: HubMatch) -> str:
    often = f"{one.downloads:,} downloads in 30 days" if one.downloads is not None else ""
    return _row(one.name, one.parameters, one.licence, one.gated) + f"<p>{often}</p>"


def _row(name: str, parameters: float | None, licence: str | None, gated: bool) -> str:
    size = number_words(parameters) if parameters else "size not named"
    line = " · ".join([size, licence or "licence not named"])
    closed = markup.badge("gated", "warn") if gated else ""
    return (
        f'<div class="tl-card-head"><b>{escape(name)}</b>{closed}</div>'
        f'<p class="tl-card-note"><b>{escape(line)}</b></p>'
    )


def _download(job: Job, track: Track, waits: Waiting | None) -> str:
    commit = str(job.recipe.get("revision", ""))[:12]
    return (
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(job.name)}</b>'
        f"<span>{escape(commit)}</span></div>{_body(job, track, waits)}"
        f'<div class="tl-card-foot"><span>{job_words.moment(job)}</span></div></div>'
    )


def _body(job: Job, track: Track, waits: Waiting | None) -> str:
    if job.over:
        tone: markup.Tone = "bad" if job.state is State.FAILED else "neutral"
        return markup.notice(job.error or event_cursor.STATES[job.state], tone)
    if job.state is State.QUEUED:
        return job_words.turn(job, waits, alive=True)  # the head of the page says where none is
    at = track.progress
    if at is None:
        return markup.notice(event_cursor.STATES[job.state], "busy")
    label = f"{memory_words(at['done'])} of {memory_words(at['total'])}"
    return markup.progress(at["done"], at["total"], label, track.eta_s)
