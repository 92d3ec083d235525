"""The Rating page: people say which of two answers is better, and what their votes add up to."""

from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.rating import Purpose
from engine.services.preferences import build as preferences_build
from engine.services.preferences.build import PairExport
from engine.services.preferences.rules import Rules
from engine.services.rating import import_removal, progress, rounds
from engine.workspace import Workspace
from ui.components import loop_words, markup
from ui.components.page import NavigationTarget, Page
from ui.components.refresh import Refresher, mark, shown, text_or_hidden
from ui.pages.rating import import_panel, other_datasets, raters, start
from ui.pages.rating.refresh import CLOSE_BLIND, RatingValues, RatingView, latest, read
from ui.web.errors import shows_errors
from ui.web.session import who

POLL_EVERY_S = 2.0
REMOVE = (
    "Remove the votes of this file from the project? Every round that the file became leaves all "
    "lists and counts. The same file can be imported again."
)
NO_LENGTH = "Do not learn length: as many pairs with the longer as with the shorter answer chosen"
NOTHING = (
    "A round is a set of questions with two answers each. Raters choose the better answer without "
    "knowing which model wrote it. Start one below."
)


class RatingParts(NamedTuple):
    """What a look may change."""

    next: gr.Row
    words: gr.HTML
    go: gr.Button
    which: gr.Dropdown
    box: gr.Accordion
    empty: gr.Column
    body: gr.Column
    about: gr.HTML
    surface: gr.HTML
    share: gr.HTML
    outcome: gr.HTML
    collect: gr.Row
    make: gr.Button
    made: gr.HTML
    onward: gr.Row
    every: gr.Checkbox
    no_length: gr.Checkbox
    close: gr.Row
    ask: gr.Button
    sure: gr.Row
    remove: gr.Row
    remove_sure: gr.Row


def build(ws: Workspace, page: Page) -> None:
    """The tab: the round, its pairs to rate, and what the votes say; the panel for a new one."""
    gr.HTML(
        markup.head("Rating", "Raters compare two answers without knowing which model wrote them.")
    )
    view = gr.State(RatingView())
    with gr.Row(visible=False, elem_classes="tl-next tl-next-bar", elem_id="rate-next") as bar:
        words = gr.HTML("")
        go = gr.Button("Go", variant="primary", elem_id="rate-go")
    which = gr.Dropdown([], value=None, label="Round", show_label=False, container=False,
                        visible=False, elem_id="rate-round")  # fmt: skip
    with gr.Column(visible=False) as empty:
        gr.HTML(markup.part("No round yet", NOTHING))
    with gr.Accordion("Start a round", open=False, elem_id="rate-new-box") as box:
        panel, power = start.build()
    with gr.Accordion("Import votes or answers from a file", open=False, elem_id="rate-bring-box"):
        file_panel = import_panel.build()
    with gr.Column(visible=False) as body:
        about = gr.HTML("")
        surface = gr.HTML("", elem_id="rate-surface")
        made = gr.HTML("", elem_id="rate-made")
        with gr.Row(visible=False, elem_classes="tl-actions") as onward:
            train = gr.Button("Train on them", variant="primary", elem_id="rate-train")
        collect, make, every, no_length = _collecting()
        share = gr.HTML("")
        outcome = gr.HTML("", elem_id="rate-outcome")
        with gr.Row(visible=False, elem_classes="tl-actions") as close:
            ask = gr.Button(CLOSE_BLIND, elem_id="rate-close")
        with gr.Row(visible=False, elem_classes="tl-sure", elem_id="rate-sure") as sure:
            gr.HTML(markup.notice("Close it? Nobody can vote on it any more.", "warn"))
            yes = gr.Button("Close it", variant="primary", elem_id="rate-close-yes")
            no = gr.Button("Keep it open", elem_id="rate-close-no")
        remove, doubt, gone = _removal()
    _boxes(ws, page, view)
    parts = RatingParts(bar, words, go, which, box, empty, body, about, surface, share, outcome,
                        collect, make, made, onward, every, no_length, close, ask, sure, remove,
                        doubt)  # fmt: skip
    _wire_onward(ws, page, train, view)
    ask.click(lambda: gr.Row(visible=True), None, sure, **markup.QUIET)
    no.click(lambda: gr.Row(visible=False), None, sure, **markup.QUIET)
    _wire_panel(ws, page, panel, power)
    import_panel.wire(ws, page, file_panel)
    _wire(ws, page, view, parts, {"go": panel.go, "make": make, "yes": yes, "gone": gone}, panel)
    _wire_file(ws, page, view, parts, file_panel)


def _collecting() -> tuple[gr.Row, gr.Button, gr.Checkbox, gr.Checkbox]:
    """The row that makes pairs: its button, all rounds or this one, and length learned or not."""
    with gr.Row(visible=False, elem_classes="tl-actions") as collect:
        make = gr.Button("Make DPO pairs", variant="primary", elem_id="rate-make")
        every = gr.Checkbox(True, label="With the votes of all rating rounds", visible=False,
                            container=False, elem_id="rate-every")  # fmt: skip
        no_length = gr.Checkbox(False, label=NO_LENGTH, container=False,
                                elem_id="rate-no-length")  # fmt: skip
    return collect, make, every, no_length


def _boxes(ws: Workspace, page: Page, view: gr.State) -> None:
    """Folded below the round: more datasets from the votes, links, raters and flags."""
    other_datasets.build(ws, page)
    raters.build(ws, page, view)


def _removal() -> tuple[gr.Row, gr.Row, gr.Button]:
    """The row with the button that removes an import, the row that asks again, and its yes."""
    with gr.Row(visible=False, elem_classes="tl-actions") as remove:
        ask = gr.Button("Remove this import", size="sm", elem_id="rate-remove")
    with gr.Row(visible=False, elem_classes="tl-sure", elem_id="rate-remove-sure") as sure:
        gr.HTML(markup.notice(REMOVE, "warn"))
        yes = gr.Button("Remove it", variant="stop", elem_id="rate-remove-yes")
        no = gr.Button("Keep it", elem_id="rate-remove-no")
    ask.click(lambda: gr.Row(visible=True), None, sure, **markup.QUIET)
    no.click(lambda: gr.Row(visible=False), None, sure, **markup.QUIET)
    return remove, sure, yes


def make_pairs(
    ws: Workspace, project: str | None, chosen: str | None, every: bool, no_length: bool = False
) -> PairExport:
    """Pairs from the votes of this round, or of all rating rounds; with `no_length` balanced."""
    if not project or not chosen:
        raise UserError("No round is chosen.", "Choose one in the list.")
    rules = Rules(balance_length=no_length)
    return preferences_build.make(ws, who(ws), project, None if every else [chosen], rules)


def aim_at_pairs(ws: Workspace, project: str | None, chosen: str | None) -> NavigationTarget:
    """Preference training on the newest pairs that the votes of this round are in."""
    rating_round = rounds.get(ws, who(ws), chosen) if chosen else None
    export = latest(ws, project, rating_round) if rating_round and project else None
    return NavigationTarget(method="dpo", dataset=export.dataset_id if export else "")


def drawn(view: RatingView, now: RatingValues, revision: Hashable = None) -> list[Any]:
    """The view after drawing `now`, and an update for each part that changed."""
    _, chosen = now["which"]
    waits = now.get("waits", False)
    action = now.get("action", view.action)
    view = replace(view, round_id=chosen, waits=waits, action=action, revision=revision)
    return REFRESHER.changed(view, now)


def _make_button(made: bool) -> gr.Button:
    """The next step until there are pairs; then that is the training."""
    if made:
        return gr.Button("Make the pairs again", variant="secondary")
    return gr.Button("Make DPO pairs", variant="primary")


def poll(ws: Workspace, seen: RatingView, project: str | None) -> list[Any]:
    """What changed since `seen`; a few counters tell whether anything did."""
    now = _revision(ws, project)
    if now is not None and now == seen.revision and not seen.waits:
        return REFRESHER.unchanged()
    return drawn(seen, read(ws, project, seen.round_id), now)


HTML = ("about", "surface", "share", "outcome", "made")
REFRESHER: Refresher[RatingView] = Refresher(
    RatingParts._fields,
    {
        "which": lambda known: gr.Dropdown(list(known[0]), value=known[1], visible=bool(known[0])),
        "make": _make_button,
        "sure": lambda _: gr.Row(visible=False),
        "remove_sure": lambda _: gr.Row(visible=False),
        "box": lambda wide: gr.Accordion(open=wide),
        "every": shown(gr.Checkbox),
        **dict.fromkeys(HTML, text_or_hidden),
        **dict.fromkeys(("go", "ask"), lambda title: gr.Button(title)),
        **dict.fromkeys(("next", "collect", "onward", "close", "remove"), shown(gr.Row)),
        **dict.fromkeys(("empty", "body"), shown(gr.Column)),
    },
)


def _wire_onward(ws: Workspace, page: Page, train: gr.Button, view: gr.State) -> None:
    @shows_errors
    def on_train(seen: RatingView, project: str | None) -> Any:
        return aim_at_pairs(ws, project, seen.round_id), gr.Tabs(selected="training")

    train.click(on_train, [view, page.project], [page.target, page.tabs], **markup.QUIET)


def _wire_panel(ws: Workspace, page: Page, panel: start.StartPanel, power: gr.HTML) -> None:
    chosen = [panel.purpose, panel.new, panel.base, panel.dataset]
    size = [panel.purpose, panel.dataset, panel.prompts, panel.overlap, panel.more.decision,
            panel.more.pasted]  # fmt: skip
    dropdowns = [panel.new, panel.base, panel.dataset]
    choose = shows_errors(partial(start.choices, ws))
    power_words = shows_errors(partial(start.power, ws))
    markup.on_show(page, choose, [page.project, *chosen], dropdowns)
    panel.purpose.change(choose, [page.project, *chosen], dropdowns, **markup.QUIET)
    gr.on([each.change for each in size], power_words, size, power, **markup.QUIET)


def _wire(
    ws: Workspace,
    page: Page,
    view: gr.State,
    parts: RatingParts,
    buttons: dict[str, gr.Button],
    panel: start.StartPanel,
) -> None:
    # What is chosen comes from the view: a dropdown refuses a value that a look has just removed.
    @shows_errors
    def on_look(seen: RatingView, project: str | None) -> Any:
        return poll(ws, seen, project)

    @shows_errors
    def on_show(aim: NavigationTarget, seen: RatingView, project: str | None) -> Any:
        kept = NavigationTarget() if aim.round else gr.skip()
        kept = kept if aim.purpose is None else NavigationTarget()
        return [kept, *_offered(ws, seen, project, aim.round or seen.round_id, aim.purpose)]

    @shows_errors
    def on_go(seen: RatingView, project: str | None) -> Any:
        action = loop_words.ACTIONS[seen.action]
        if action.page != "rating":
            return [*loop_words.follow(seen.action), *REFRESHER.unchanged(), gr.skip()]
        chosen = newest_collecting(ws, project) if seen.action == "make_pairs" else None
        stays = [gr.skip(), gr.skip()]
        return [*stays, *_offered(ws, seen, project, chosen, action.purpose)]

    @shows_errors
    def on_pick(seen: RatingView, project: str | None, chosen: str | None) -> Any:
        return drawn(seen, read(ws, project, chosen), _revision(ws, project))

    given, out = [view, page.project], [view, *parts]
    markup.on_show(page, on_show, [page.target, *given], [page.target, *out, panel.purpose])
    parts.go.click(on_go, given, [page.target, page.tabs, *out, panel.purpose], **markup.QUIET)
    markup.live(page, on_look, given, out, every=POLL_EVERY_S)
    parts.which.input(on_pick, [*given, parts.which], out, **markup.QUIET)
    acts = partial(shows_errors(_act), ws)
    started = buttons["go"].click(
        partial(acts, _start), [*given, *panel.values], out, **markup.QUIET
    )
    _name_chosen(started, view, parts.which)
    buttons["make"].click(
        partial(acts, _make), [*given, parts.every, parts.no_length], out, **markup.QUIET
    )
    buttons["yes"].click(partial(acts, _close), given, out, **markup.QUIET)
    removed = buttons["gone"].click(partial(acts, _remove), given, out, **markup.QUIET)
    _name_chosen(removed, view, parts.which)


def newest_collecting(ws: Workspace, project: str | None) -> str | None:
    """The newest round whose votes may become pairs."""
    rating_rounds = rounds.list_all(ws, who(ws), project) if project else []
    votable = [one.id for one in rating_rounds if one.status in ("open", "closed")
               and one.purpose == "train_pairs"]  # fmt: skip
    return next(iter(votable), None)


def _offered(
    ws: Workspace,
    seen: RatingView,
    project: str | None,
    chosen: str | None,
    purpose: Purpose | None,
) -> list[Any]:
    """The view, the parts, and what a new round is for: as it was where nobody asked for one."""
    now = _revision(ws, project)
    # a person may have folded the panel or opened it since it was drawn
    seen = seen if purpose is None else seen.without("box")
    shown = drawn(seen, read(ws, project, chosen, purpose), now)
    return [*shown, gr.skip() if purpose is None else purpose]


def _wire_file(
    ws: Workspace, page: Page, view: gr.State, parts: RatingParts, panel: import_panel.FilePanel
) -> None:
    acts = partial(shows_errors(_act), ws)
    busy = {**markup.RAW, "show_progress": "full", "show_progress_on": panel.report}
    given, out = [view, page.project], [view, *parts]
    done = panel.go.click(partial(acts, _start_import), [*given, *panel.given], out, **busy)
    _name_chosen(done, view, parts.which)
    done.success(lambda: None, None, panel.file, **markup.QUIET)


def _name_chosen(done: Any, view: gr.State, which: gr.Dropdown) -> None:
    """Let the dropdown name the round that was just made.

    Gradio shows the old name where choices and value change in one update.
    """
    emptied = done.success(lambda: gr.Dropdown(value=None), None, which, **markup.QUIET)
    emptied.then(lambda seen: gr.Dropdown(value=seen.round_id), view, which, **markup.QUIET)


def _start_import(
    ws: Workspace, seen: RatingView, project: str | None, *values: Any
) -> tuple[RatingView, str | None]:
    return seen, import_panel.start_import(
        ws, project, import_panel.wanted(*values)
    ) or seen.round_id


def _revision(ws: Workspace, project: str | None) -> Hashable:
    """Read before the look, so that what changes meanwhile is drawn by the next one."""
    return progress.revision(ws, who(ws), project) if project else None


def _act(ws: Workspace, act: Any, seen: RatingView, project: str | None, *values: Any) -> list[Any]:
    """Do what a button asks for, then show the round that it was about."""
    view, chosen = act(ws, seen, project, *values)
    return drawn(view, read(ws, project, chosen), _revision(ws, project))


def _start(
    ws: Workspace, seen: RatingView, project: str | None, *values: Any
) -> tuple[RatingView, str | None]:
    made = start.plan(ws, project, *values)
    # the panel was opened by a click that the view does not know of
    return replace(seen, marks={**seen.marks, "box": mark(True)}), made.id


def _make(
    ws: Workspace, seen: RatingView, project: str | None, every: bool, no_length: bool
) -> tuple[RatingView, str | None]:
    make_pairs(ws, project, seen.round_id, every, no_length)
    return seen, seen.round_id


def _remove(ws: Workspace, seen: RatingView, project: str | None) -> tuple[RatingView, str | None]:
    if seen.round_id and project:
        gone = import_removal.remove(ws, who(ws), seen.round_id)
        gr.Success(gone.sentence, title="Removed")
    return seen, None


def _close(ws: Workspace, seen: RatingView, project: str | None) -> tuple[RatingView, str | None]:
    if seen.round_id and project:
        rounds.close(ws, who(ws), seen.round_id)
    return seen, seen.round_id
