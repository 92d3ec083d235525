"""What the Rating page shows of the chosen round, by the name of its part."""

from dataclasses import dataclass
from typing import TypedDict

from engine.core.event import ProgressEvent
from engine.core.project import NextAction
from engine.core.rating import BLIND, Purpose, Round
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop.status import status
from engine.services.preferences import build, lineage
from engine.services.preferences.build import PairExport
from engine.services.rating import import_removal, progress, report, rounds
from engine.services.rating.progress import RoundProgress
from engine.workspace import Workspace
from ui.components import loop_words, markup, names
from ui.components.refresh import Drawn
from ui.pages.rating import rater_page as rating_page
from ui.pages.rating import results
from ui.web.session import who

FAILED = "The answers of this round could not be written. "
CUT = (
    "All answers were cut at the longest length, or empty. Start another round above, with longer "
    "answers under More options."
)
CLOSE_BLIND = "Close the round and see the verdict"
PRACTICE = "Raters see the expected answer after each vote. “Raters and flags” shows their results."


@dataclass(frozen=True)
class RatingView(Drawn):
    """What one browser session shows of the Rating page, and the round it chose."""

    round_id: str | None = None
    action: NextAction = "add_data"  # what the button at the top does, where it is shown
    waits: bool = False  # its answers are being written, which no counter tells


def pick(found: list[Round], chosen: str | None) -> Round | None:
    """The chosen round where it is of this project; else the newest open one, else the newest."""
    for one in found:
        if one.id == chosen:
            return one
    return next((one for one in found if one.status == "open"), next(iter(found), None))


class RatingValues(TypedDict, total=False):
    """The value of each part of the page; `which` are (title, id) of the rounds, and the chosen.

    Two are no parts and only remembered: `waits` says that answers are still written, `action` is
    the next one of the loop.
    """

    which: tuple[tuple[tuple[str, str], ...], str | None]
    next: bool
    words: str
    go: str
    action: NextAction
    box: bool
    empty: bool
    body: bool
    about: str
    surface: str
    share: str
    outcome: str
    collect: bool
    make: bool
    made: str
    onward: bool
    every: bool
    close: bool
    ask: str
    sure: tuple[str, str]
    remove: bool
    remove_sure: str
    waits: bool


def read(
    ws: Workspace, project: str | None, chosen: str | None, purpose: Purpose | None = None
) -> RatingValues:
    """All that the tab shows for the chosen round, by the name of its part.

    With a purpose that is the round of it which is under way; without one, a new one is offered.
    """
    rating_rounds = rounds.list_all(ws, who(ws), project) if project else []
    going = next(
        (each.id for each in rating_rounds if each.purpose == purpose and under_way(each)), None
    )
    rating_round = pick(rating_rounds, going or chosen)
    if project is None or rating_round is None:
        return {"which": ((), None), "empty": True, "body": False, **_first(ws, project)}
    far = progress.of_project(
        ws, who(ws), project, {each.id: each.plan.overlap for each in rating_rounds}
    )
    titles = tuple((results.title(each, far[each.id]), each.id) for each in rating_rounds)
    collects = rating_round.purpose == "train_pairs"
    export = latest(ws, project, rating_round) if collects else None
    voted = rating_round.status in ("open", "closed")
    shown = rating_round.status == "open"
    asks = under_way(rating_round) or export is not None or (collects and voted)
    return {
        "which": (titles, rating_round.id),
        # closed when the first round appears; open for who has to start another
        "box": rating_round.status == "failed" or (purpose is not None and going is None),
        "empty": False,
        "body": True,
        "about": results.about(rating_round),
        "surface": rating_page.mount(rating_round.id) if shown else "",
        "share": results.share(rating_round) if shown and not ws.settings.visitors else "",
        "outcome": outcome(ws, project, rating_round, far[rating_round.id]),
        "collect": collects and voted and far[rating_round.id].votes > 0,
        "make": export is not None,
        "made": results.made(
            export, datasets.get(ws, who(ws), export.dataset_id),
            lineage.stale(ws, who(ws), export.dataset_id),
        ) if export else "",
        "onward": export is not None,
        "every": sum(
            each.purpose == "train_pairs" and each.status != "preparing" for each in rating_rounds
        )
        > 1,
        "close": not collects and rating_round.status == "open",
        "ask": CLOSE_BLIND if rating_round.purpose in BLIND else "Close the round",
        "sure": (rating_round.id, rating_round.status),
        "remove": import_removal.may_remove(who(ws), rating_round),
        "remove_sure": rating_round.id,
        "waits": rating_round.status == "preparing",
        # where the round itself asks for nothing more
        **(RatingValues(next=False) if asks else _bar(ws, project)),
    }  # fmt: skip


def under_way(rating_round: Round) -> bool:
    """Whether its answers are being written or people may vote on it."""
    return rating_round.status in ("preparing", "open")


def _first(ws: Workspace, project: str | None) -> RatingValues:
    """Before the first round: the panel that starts one, or what has to come before it."""
    if project is None:
        return {"box": False, "next": False}
    bar = _bar(ws, project)
    ready = loop_words.ACTIONS[bar["action"]].page == "rating"
    return {**bar, "box": ready, "next": not ready}


def _bar(ws: Workspace, project: str) -> RatingValues:
    """The next action of the loop."""
    loop_status = status(ws, who(ws), project)
    title = loop_words.ACTIONS[loop_status.next_action].title
    words = loop_words.next_action(loop_status)
    return {"next": True, "words": words, "go": title, "action": loop_status.next_action}


def outcome(ws: Workspace, project: str, rating_round: Round, far: RoundProgress) -> str:
    """What the round has brought so far, or why it has not begun."""
    if rating_round.status == "preparing":
        return _preparing(ws, rating_round)
    if rating_round.status == "failed":
        return markup.notice(FAILED + _reason(ws, rating_round), "bad")
    if rating_round.purpose == "calibration":
        return markup.notice(PRACTICE)
    left_out = rounds.left_out(ws, who(ws), rating_round.id)
    short = results.cut_short(rating_round, left_out) if rating_round.status == "open" else ""
    if rating_round.imported:
        return _imported(ws, project, rating_round, far)
    if rating_round.purpose == "train_pairs":
        return short + results.collecting(
            rating_round, rounds.tally(ws, who(ws), rating_round.id), far
        )
    if rating_round.status == "open":
        return short + results.blind(rating_round, far, report.live(ws, who(ws), rating_round.id))
    called = names.of_models(ws, project)
    arms = (
        called.get(rating_round.arm_new, names.GONE),
        called.get(rating_round.arm_base, names.GONE),
    )
    seen = rounds.tally(ws, who(ws), rating_round.id)
    full_report = report.report(ws, who(ws), rating_round.id)
    verdict = full_report.verdict or rounds.verdict(ws, who(ws), rating_round.id)
    return results.verdict(verdict, seen, arms, left_out) + results.beside(full_report)


def _imported(ws: Workspace, project: str, rating_round: Round, far: RoundProgress) -> str:
    """Votes of a file: their verdict where there may be one, else their counts."""
    full_report = report.report(ws, who(ws), rating_round.id)
    called = names.of_models(ws, project)
    arms = (
        called.get(rating_round.arm_new, names.GONE),
        called.get(rating_round.arm_base, names.GONE),
    )
    if full_report.verdict:
        left_out = rounds.left_out(ws, who(ws), rating_round.id)
        found = results.verdict(full_report.verdict, full_report.tally, arms, left_out)
    else:
        doubt = (
            "" if rating_round.mode == "single" or rating_round.states_sides else report.NOT_BLIND
        )
        found = markup.notice(doubt, "warn") if doubt else ""
        found += results.collecting(rating_round, full_report.tally, far, arms)
    return found + results.beside(full_report)


def latest(ws: Workspace, project: str, rating_round: Round) -> PairExport | None:
    """The newest pairs that the votes of this round are in."""
    return next(
        (e for e in build.list_all(ws, who(ws), project) if rating_round.id in e.rounds), None
    )


def _preparing(ws: Workspace, rating_round: Round) -> str:
    if not lifecycle.worker_alive(ws, who(ws)):
        return markup.notice("No worker is running, so the answers have to wait.", "warn")
    events = lifecycle.watch(ws, who(ws), rating_round.job_id) if rating_round.job_id else []
    written_so_far = [event for event in events if isinstance(event, ProgressEvent)]
    if not written_so_far:
        ahead = (
            lifecycle.place_in_queue(ws, who(ws), rating_round.job_id) if rating_round.job_id else 0
        )
        waiting = f"Waiting for {ahead} other runs" if ahead else "The models are being loaded"
        return markup.progress(0, 1, waiting)
    first, last = written_so_far[0], written_so_far[-1]
    done, total = last.data["done"], last.data["total"]
    written = done - first.data["done"]
    eta = (last.at - first.at) / written * (total - done) if written > 0 else None
    return markup.progress(done, total, f"{done} of {total} answers written", eta)


def _reason(ws: Workspace, rating_round: Round) -> str:
    job = lifecycle.get(ws, who(ws), rating_round.job_id) if rating_round.job_id else None
    if job and job.error:
        return job.error
    return CUT if rounds.left_out(ws, who(ws), rating_round.id) else "Start another one."
