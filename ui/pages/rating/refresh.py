"""What the Rating page shows of the chosen round, by the name of its part."""

from dataclasses import dataclass
from typing import Any

from engine.core.event import ProgressEvent
from engine.core.rating import Round
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.preferences import build, lineage
from engine.services.preferences.build import PairExport
from engine.services.rating import progress, report, rounds
from engine.services.rating.progress import RoundProgress
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.refresh import Drawn
from ui.pages.rating import rater_page as rating_page
from ui.pages.rating import results
from ui.web.session import who

FAILED = "The answers of this round could not be written. "
CUT = (
    "All answers were cut at the longest length, or empty. Start another round below, with longer "
    "answers under More options."
)
PRACTICE = "Raters see the expected answer after each vote. “Raters and flags” shows their results."


@dataclass(frozen=True)
class RatingView(Drawn):
    """What one browser session shows of the Rating page, and the round it chose."""

    round_id: str | None = None
    waits: bool = False  # its answers are being written, which no counter tells


def pick(found: list[Round], chosen: str | None) -> Round | None:
    """The chosen round where it is of this project; else the newest open one, else the newest."""
    for one in found:
        if one.id == chosen:
            return one
    return next((one for one in found if one.status == "open"), next(iter(found), None))


def read(ws: Workspace, project: str | None, chosen: str | None) -> dict[str, Any]:
    """All that the tab shows for the chosen round, by the name of its part."""
    found = rounds.list_all(ws, who(ws), project) if project else []
    one = pick(found, chosen)
    if project is None or one is None:
        return {"which": ((), None), "box": project is not None, "empty": True, "body": False}
    far = progress.of_project(ws, who(ws), project, {each.id: each.plan.overlap for each in found})
    titles = tuple((results.title(each, far[each.id]), each.id) for each in found)
    collects = one.purpose == "train_pairs"
    export = latest(ws, project, one) if collects else None
    voted = one.status in ("open", "closed")
    shown = one.status == "open"
    return {
        "which": (titles, one.id),
        # closed when the first round appears; open for who has to start another
        "box": one.status == "failed",
        "empty": False,
        "body": True,
        "about": results.about(one),
        "surface": rating_page.mount(one.id) if shown else "",
        "share": results.share(one) if shown else "",
        "outcome": outcome(ws, project, one, far[one.id]),
        "collect": collects and voted and far[one.id].votes > 0,
        "make": export is not None,
        "made": results.made(
            export, datasets.get(ws, who(ws), export.dataset_id),
            lineage.stale(ws, who(ws), export.dataset_id),
        ) if export else "",
        "onward": export is not None,
        "every": sum(r.purpose == "train_pairs" and r.status != "preparing" for r in found) > 1,
        "close": not collects and one.status == "open",
        "sure": (one.id, one.status),
        "waits": one.status == "preparing",
    }  # fmt: skip


def outcome(ws: Workspace, project: str, one: Round, far: RoundProgress) -> str:
    """What the round has brought so far, or why it has not begun."""
    if one.status == "preparing":
        return _preparing(ws, one)
    if one.status == "failed":
        return markup.notice(FAILED + _reason(ws, one), "bad")
    if one.purpose == "calibration":
        return markup.notice(PRACTICE)
    left_out = rounds.left_out(ws, who(ws), one.id)
    short = results.cut_short(one, left_out) if one.status == "open" else ""
    if one.purpose == "train_pairs":
        return short + results.collecting(one, rounds.tally(ws, who(ws), one.id), far)
    if one.status == "open":
        return short + results.blind(one, far, report.live(ws, who(ws), one.id))
    called = names.of_models(ws, project)
    arms = (called.get(one.arm_new, names.GONE), called.get(one.arm_base, names.GONE))
    seen = rounds.tally(ws, who(ws), one.id)
    told = report.report(ws, who(ws), one.id)
    found = told.verdict or rounds.verdict(ws, who(ws), one.id)
    return results.verdict(found, seen, arms, left_out) + results.beside(told)


def latest(ws: Workspace, project: str, one: Round) -> PairExport | None:
    """The newest pairs that the votes of this round are in."""
    return next((e for e in build.list_all(ws, who(ws), project) if one.id in e.rounds), None)


def _preparing(ws: Workspace, one: Round) -> str:
    if not lifecycle.worker_alive(ws, who(ws)):
        return markup.notice("No worker is running, so the answers have to wait.", "warn")
    events = lifecycle.watch(ws, who(ws), one.job_id) if one.job_id else []
    written_so_far = [event for event in events if isinstance(event, ProgressEvent)]
    if not written_so_far:
        ahead = lifecycle.place_in_queue(ws, who(ws), one.job_id) if one.job_id else 0
        waiting = f"Waiting for {ahead} other runs" if ahead else "The models are being loaded"
        return markup.progress(0, 1, waiting)
    first, last = written_so_far[0], written_so_far[-1]
    done, total = last.data["done"], last.data["total"]
    written = done - first.data["done"]
    eta = (last.at - first.at) / written * (total - done) if written > 0 else None
    return markup.progress(done, total, f"{done} of {total} answers written", eta)


def _reason(ws: Workspace, one: Round) -> str:
    job = lifecycle.get(ws, who(ws), one.job_id) if one.job_id else None
    if job and job.error:
        return job.error
    return CUT if rounds.left_out(ws, who(ws), one.id) else "Start another one."
