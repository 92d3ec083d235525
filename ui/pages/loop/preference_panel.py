"""What the team seems to prefer: features and reasons with their agreement, and the reward head."""

from collections.abc import Sequence
from html import escape
from typing import Any

from engine.core.job import Job, State
from engine.core.reward_head import TeamPreference
from engine.services.loop.weak_part import weak_part
from engine.services.rating import reward_heads
from engine.workspace import Workspace
from ui.components import markup
from ui.components.event_cursor import Track
from ui.web.session import who

TITLE = "What your team seems to prefer"
ABOUT = (
    "Each line is tested on votes that were left out: how many go the way the other votes go. The "
    "thin line is the 95 % interval, the middle is chance. What chance explains, counting all "
    "lines together, is crossed out. Votes of blind rounds are never read."
)
CHANCE = "chance explains it"
FEW = "too few answers differ in it"


def learn(ws: Workspace, project: str, _: Any) -> str:
    """Queue the learning; the message to show."""
    reward_heads.start(ws, who(ws), project)
    return "The votes are read; what they show appears here."


def best_of(ws: Workspace, project: str) -> str:
    """What best of several answers and a training show together; nothing where one is missing."""
    sentence = weak_part(ws, who(ws), project)
    return markup.notice(markup.tight(sentence)) if sentence else ""


def picture(job: Job | None, track: Track) -> str:
    """What the newest job found, how far it is, or why it failed; nothing before the first."""
    if job is None:
        return ""
    if job.state is State.FAILED:
        return markup.notice(f"The votes could not be read. {job.error or ''}", "bad")
    if not job.over:
        now = track.progress
        return (
            markup.progress(now["done"], now["total"], now["label"])
            if now
            else markup.progress(0, 1, "The job waits for a worker")
        )
    found = reward_heads.result(job)
    if found is None:
        return ""
    verdict = markup.notice(markup.tight(found.sentence), "warn" if found.refused else "good")
    return rows(found.preferences) + verdict


def rows(found: Sequence[TeamPreference]) -> str:
    """A line for each feature and reason; those that too few answers differ in are one line."""
    shown = [one for one in found if one.agreement]
    few = [one.title for one in found if not one.agreement]
    lines = "".join(map(_row, shown))
    rest = f'<p class="tl-note">{escape(FEW.capitalize())}: {escape(", ".join(few))}.</p>'
    return f'<dl class="tl-edits tl-preferences">{lines}</dl>' + (rest if few else "")


def _row(one: TeamPreference) -> str:
    agreed = one.agreement
    if agreed is None:
        return ""
    name = escape(one.title if one.kind == "feature" else f"“{one.title}”")
    name = f"<b>{name}</b>" if one.stands else f"<s>{name}</s>"
    under = f"a reason given; it means: {one.means}" if one.kind == "reason" else ""
    at, low, high = (f"{100 * each:.1f}%" for each in (agreed.share, agreed.low, agreed.high))
    bounds = f"{markup.percent(agreed.low)} to {markup.percent(agreed.high)}"
    size = f"{one.questions} questions"
    why = "" if one.stands else f"; {CHANCE}"
    return (
        f'<div class="{"" if one.stands else "tl-chance"}"><dt>{name}'
        f"<span>{escape(under)}</span></dt><dd>"
        f'<span class="tl-edit-bar" aria-hidden="true"><i style="width:{at}"></i>'
        f'<u style="left:{low};right:calc(100% - {high})"></u><em></em></span>'
        f"<b>{markup.percent(agreed.share)}</b> <span>{markup.tight(bounds)}; {size}{why}</span>"
        "</dd></div>"
    )
