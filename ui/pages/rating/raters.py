"""Two folded boxes on the Rating page: links for raters, and what raters did and flagged.

There an owner also deletes all that a rater did, reads what was refused, and looks early.
"""

from functools import partial
from html import escape
from typing import Any

import gradio as gr

from engine.core.actor import Role
from engine.core.errors import UserError
from engine.services import erasure
from engine.services.rating import audit, flagged_comparisons, invites, paused_raters, rounds
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import Page
from ui.pages.rating import results
from ui.pages.rating.refresh import RatingView
from ui.web.errors import shows_errors
from ui.web.prefix import prefix_of
from ui.web.session import who

FOR_GOOD = (
    "Delete every vote, skip, note and edit of this rater in all rounds of this project, and their "
    "name and link? This cannot be undone. Pairs and models made of the votes stay and are marked. "
    "To exclude the votes and keep them, pause the rater instead."
)
EARLY = (
    "See the interim result now? Your name and reason go into the audit log, and the verdict "
    "names you. A test for a fixed number of votes is not valid after an early look: a sequential "
    "test decides the round instead, which needs more votes. This cannot be undone."
)
NOTHING = "No refused votes and no early looks."
ONCE = "Copy this link now and send it: it is shown once, and opens the Rating page alone."


def build(ws: Workspace, page: Page, view: gr.State) -> None:
    """The boxes; `view` knows the round that the page shows."""
    _links(ws, page)
    _layout(ws, view)


def _links(ws: Workspace, page: Page) -> None:
    with gr.Accordion("Invite people by a link", open=False, elem_id="rate-invites") as box:
        with gr.Row(elem_classes="tl-actions"):
            name = gr.Textbox("", label="Name", elem_id="rate-invite-name")
            days = gr.Number(invites.DAYS, minimum=0, maximum=invites.MOST_DAYS, precision=0,
                             label="Ends after, days", info="0: never",
                             elem_id="rate-invite-days")  # fmt: skip
            browsers = gr.Number(0, minimum=0, maximum=invites.MOST_BROWSERS, precision=0,
                                 label="Browsers", info="0: any number",
                                 elem_id="rate-invite-browsers")  # fmt: skip
            make = gr.Button("Make a link", elem_id="rate-invite-make")
        link = gr.Textbox("", label="Link", info=ONCE, visible=False, interactive=False,
                          buttons=["copy"], elem_id="rate-invite-link")  # fmt: skip
        with gr.Row(visible=False, elem_classes="tl-actions") as working:
            known = gr.Dropdown([], value=None, label="Invited", elem_id="rate-invited")
            revoke = gr.Button("Withdraw the link", elem_id="rate-invite-revoke")
        ended_links = gr.HTML("", elem_id="rate-invites-past")
    listed = shows_errors(partial(invited, ws))
    links = [known, working, ended_links]
    markup.on_show(page, listed, page.project, links)
    box.expand(listed, page.project, links, **markup.QUIET)

    # not a partial: Gradio finds by its annotation what takes the request
    @shows_errors
    def on_make(
        project: str | None, wanted: str, days: float, browsers: float, request: gr.Request
    ) -> Any:
        address = request.headers.get("origin") or f"http://{request.headers.get('host', '')}"
        asked = request.request
        address += prefix_of(asked.scope) if asked else ""
        return invite(ws, project, wanted, address, int(days or 0), int(browsers or 0))

    make.click(on_make, [page.project, name, days, browsers], [link, *links], **markup.QUIET)
    revoke.click(shows_errors(partial(withdraw, ws)), [page.project, known], [link, *links],
                 **markup.QUIET)  # fmt: skip


def _layout(ws: Workspace, view: gr.State) -> None:
    with gr.Accordion("Raters and flags", open=False, elem_id="rate-people") as box:
        table = gr.HTML("")
        with gr.Row(visible=False, elem_classes="tl-actions") as some:
            rater = gr.Dropdown([], value=None, label="Rater", elem_id="rate-rater")
            pause = gr.Button("Pause", elem_id="rate-pause")
            resume = gr.Button("Let them go on", elem_id="rate-resume")
            ask = gr.Button("Delete everything of this rater", elem_id="rate-forget")
        with gr.Row(visible=False, elem_classes="tl-sure", elem_id="rate-forget-sure") as sure:
            gr.HTML(markup.notice(FOR_GOOD, "warn"))
            yes = gr.Button("Delete it all", variant="primary", elem_id="rate-forget-yes")
            no = gr.Button("Keep it", elem_id="rate-forget-no")
        raised = gr.HTML("")
        with gr.Row(visible=False, elem_classes="tl-actions") as open_:
            flag = gr.Dropdown([], value=None, label="Flag", elem_id="rate-flag")
            settle = gr.Button("Show this comparison again", elem_id="rate-settle")
        _record(ws, view, box)
    out = [table, rater, raised, flag, some, open_]
    box.expand(shows_errors(partial(raters_panel, ws)), view, out, **markup.QUIET)
    acts = partial(shows_errors(_act), ws)
    pause.click(partial(acts, paused_raters.pause), [view, rater], out, **markup.QUIET)
    resume.click(partial(acts, paused_raters.resume), [view, rater], out, **markup.QUIET)
    settle.click(shows_errors(partial(_settle, ws)), [view, flag], out, **markup.QUIET)
    ask.click(shows_errors(_sure), rater, sure, **markup.QUIET)
    no.click(lambda: gr.Row(visible=False), None, sure, **markup.QUIET)

    @shows_errors
    def on_yes(seen: RatingView, name: str | None) -> list[Any]:
        sentence, *now = erase_rater(ws, seen, name)
        gr.Success(sentence, title="Deleted")
        return [gr.Row(visible=False), *now]

    yes.click(on_yes, [view, rater], [sure, *out], **markup.QUIET)


def _record(ws: Workspace, view: gr.State, box: gr.Accordion) -> None:
    with gr.Accordion("Audit log: refused votes and early looks", open=False,
                      elem_id="rate-audit") as folded:  # fmt: skip
        log = gr.HTML("")
    with gr.Row(visible=False, elem_classes="tl-actions") as glass:
        ask = gr.Button("See the interim result early", elem_id="rate-early")
    with gr.Column(visible=False, elem_id="rate-early-sure") as sure:
        gr.HTML(markup.notice(EARLY, "warn"))
        reason = gr.Textbox("", label="Reason", elem_id="rate-early-why",
                            max_length=audit.REASON_LENGTH)  # fmt: skip
        with gr.Row(elem_classes="tl-actions"):
            yes = gr.Button("Look now", variant="primary", elem_id="rate-early-yes")
            no = gr.Button("Keep it hidden", elem_id="rate-early-no")
    seen = gr.HTML("", elem_id="rate-early-seen")
    gr.on([box.expand, folded.expand], shows_errors(partial(recorded, ws)), view, [log, glass],
          **markup.QUIET)  # fmt: skip
    view.change(shows_errors(partial(possible, ws)), view, [glass, sure, seen], **markup.QUIET)
    box.expand(lambda: (gr.Column(visible=False), ""), None, [sure, seen], **markup.QUIET)
    ask.click(lambda: gr.Column(visible=True), None, sure, **markup.QUIET)
    no.click(lambda: gr.Column(visible=False), None, sure, **markup.QUIET)
    yes.click(shows_errors(partial(look_early, ws)), [view, reason],
              [seen, sure, reason, log, glass], **markup.QUIET)  # fmt: skip


def invited(ws: Workspace, project: str | None) -> tuple[gr.Dropdown, gr.Row, str]:
    """The links that work, with their end; their row, hidden while there are none; ended ones."""
    links = invites.list_all(ws, who(ws), project) if project else []
    working = [one for one in links if one.state in ("open", "used up")]
    ended = [one for one in links if one.state == "ended"]
    offered = [(f"{one.rater} · {one.sentence}", one.id) for one in working]
    items = "".join(f"<li>{escape(f'{one.rater} · {one.sentence}')}</li>" for one in ended)
    ended_links = f'<ul class="tl-flags">{items}</ul>' if items else ""
    return gr.Dropdown(offered, value=None), gr.Row(visible=bool(offered)), ended_links


def invite(
    ws: Workspace,
    project: str | None,
    name: str,
    address: str,
    days: int = invites.DAYS,
    browsers: int = 0,
) -> tuple[gr.Textbox, gr.Dropdown, gr.Row, str]:
    """A new link under the address of this server, shown once."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    limits = {"days": days or None, "most_browsers": browsers or None}
    token = invites.make(ws, who(ws), project, name, **limits)
    link = f"{address}/rate/join/{token}"
    return gr.Textbox(link, visible=True), *invited(ws, project)


def withdraw(
    ws: Workspace, project: str | None, chosen: str | None
) -> tuple[gr.Textbox, gr.Dropdown, gr.Row, str]:
    """The link opens nothing any more."""
    if not chosen:
        raise UserError("Nobody is chosen.", "Choose whose link to withdraw.")
    invites.revoke(ws, who(ws), chosen)
    return gr.Textbox("", visible=False), *invited(ws, project)


def raters_panel(ws: Workspace, view: RatingView) -> list[Any]:
    """Table and choices of the raters and the flags of the shown round; empty rows are hidden."""
    chosen = view.round_id
    people = paused_raters.raters(ws, who(ws), chosen) if chosen else []
    raised = flagged_comparisons.list_all(ws, who(ws), chosen) if chosen else []
    # who only skipped or was only invited may ask for it too
    known = (
        erasure.people(ws, who(ws), rounds.get(ws, who(ws), chosen).project_id) if chosen else []
    )
    names = list(dict.fromkeys([*(one.rater for one in people), *known]))
    titles = [(f"{one.kind.replace('_', ' ')} by {one.rater}", one.id) for one in raised]
    return [
        results.raters(people),
        gr.Dropdown(names, value=None),
        results.flagged(raised),
        gr.Dropdown(titles, value=None),
        gr.Row(visible=bool(names)),
        gr.Row(visible=bool(titles)),
    ]


def _act(ws: Workspace, act: Any, view: RatingView, rater: str | None) -> list[Any]:
    chosen = view.round_id
    if not chosen or not rater:
        raise UserError("Nobody is chosen.", "Choose a rater in the list.")
    act(ws, who(ws), chosen, rater)
    return raters_panel(ws, view)


def erase_rater(ws: Workspace, view: RatingView, rater: str | None) -> list[Any]:
    """The sentence after all that a rater did in the project is deleted, and the panel anew."""
    chosen = view.round_id
    if not chosen or not rater:
        raise UserError("Nobody is chosen.", "Choose a rater in the list.")
    gone = erasure.erase(ws, who(ws), rounds.get(ws, who(ws), chosen).project_id, rater)
    return [gone.sentence, *raters_panel(ws, view)]


def possible(ws: Workspace, view: RatingView) -> list[Any]:
    """The button to look early where that is possible; else nothing of an earlier look."""
    if _hidden(ws, view.round_id):
        return [gr.Row(visible=True), gr.skip(), gr.skip()]
    return [gr.Row(visible=False), gr.Column(visible=False), ""]


def recorded(ws: Workspace, view: RatingView) -> list[Any]:
    """What is on record of the shown round, and the button to look early where that is possible."""
    chosen = view.round_id
    if not chosen:
        return ["", gr.Row(visible=False)]
    rating_round = rounds.get(ws, who(ws), chosen)
    entries = audit.entries(ws, who(ws), rating_round.project_id)
    known = {each.id: each.name for each in rounds.list_all(ws, who(ws), rating_round.project_id)}
    items = "".join(f"<li>{escape(_entry_text(each, known))}</li>" for each in entries)
    listed = f'<ul class="tl-flags">{items or f"<li>{NOTHING}</li>"}</ul>'
    return [listed, gr.Row(visible=_hidden(ws, chosen))]


def look_early(ws: Workspace, view: RatingView, reason: str) -> list[Any]:
    """How the shown blind round stands, once the reason is on record; the panel anew."""
    chosen = view.round_id
    if not chosen:
        raise UserError("No round is chosen.", "Choose one in the list.")
    seen = rounds.break_glass(ws, who(ws), chosen, reason)
    words = f"{rounds.get(ws, who(ws), chosen).name}: {audit.tally_sentence(seen)}"
    return [markup.notice(words, "warn"), gr.Column(visible=False), "", *recorded(ws, view)]


def _hidden(ws: Workspace, chosen: str | None) -> bool:
    """Whether this is an open blind round, and whoever sits here may look at it early."""
    if not chosen or who(ws).role < Role.OWNER:
        return False
    rating_round = rounds.get(ws, who(ws), chosen)
    return rating_round.blind and rating_round.status == "open"


def _entry_text(line: audit.AuditEntry, known: dict[str, str]) -> str:
    where = f" · {known[line.round_id]}" if line.round_id in known else ""
    return f"{markup.when(line.at)}{where} · {line.sentence}"


def _sure(rater: str | None) -> gr.Row:
    if not rater:
        raise UserError("Nobody is chosen.", "Choose a rater in the list.")
    return gr.Row(visible=True)


def _settle(ws: Workspace, view: RatingView, flag: str | None) -> list[Any]:
    if not flag:
        raise UserError("No flag is chosen.", "Choose one in the list.")
    flagged_comparisons.settle(ws, who(ws), flag)
    return raters_panel(ws, view)
