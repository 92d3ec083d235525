"""Rate: people say which of two answers is better, and what their votes add up to."""

from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.services.preferences import build as preferences_build
from engine.services.preferences.build import PairExport
from engine.services.rating import rounds
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import Aim, Page
from ui.pages.rating import raters, start
from ui.pages.rating.refresh import latest, look
from ui.web.errors import shows_errors
from ui.web.session import who

LOOK_EVERY_S = 2.0
NOTHING = (
    "A round is a set of questions with two answers each. People say which answer is better "
    "without knowing where it comes from; start one below."
)

View = dict[str, Any]  # what one browser tab has drawn already, by the name of its part


class Parts(NamedTuple):
    """What a look may change."""

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
    close: gr.Row
    sure: gr.Row


def build(ws: Workspace, page: Page) -> None:
    """The tab: the round, its pairs to rate, and what the votes say; the panel for a new one."""
    gr.HTML(
        markup.head("Rating", "Which answer is better? Nobody knows whose it is until the end.")
    )
    view = gr.State({})
    which = gr.Dropdown([], value=None, label="Round", show_label=False, container=False,
                        visible=False, elem_id="rate-round")  # fmt: skip
    with gr.Column(visible=False) as empty:
        gr.HTML(markup.empty("No round yet", NOTHING))
    with gr.Column(visible=False) as body:
        about = gr.HTML("")
        surface = gr.HTML("", elem_id="rate-surface")
        share = gr.HTML("")
        outcome = gr.HTML("", elem_id="rate-outcome")
        with gr.Row(visible=False, elem_classes="tl-actions") as collect:
            make = gr.Button("Make DPO pairs", variant="primary", elem_id="rate-make")
            every = gr.Checkbox(True, label="With the votes of all rating rounds", visible=False,
                                container=False, elem_id="rate-every")  # fmt: skip
        made = gr.HTML("", elem_id="rate-made")
        with gr.Row(visible=False, elem_classes="tl-actions") as onward:
            train = gr.Button("Train on them", variant="primary", elem_id="rate-train")
        with gr.Row(visible=False, elem_classes="tl-actions") as close:
            ask = gr.Button("Close the round and see the verdict", elem_id="rate-close")
        with gr.Row(visible=False, elem_classes="tl-sure", elem_id="rate-sure") as sure:
            gr.HTML(markup.notice("Close it? Nobody can vote on it any more.", "warn"))
            yes = gr.Button("Close it", variant="primary", elem_id="rate-close-yes")
            no = gr.Button("Keep it open", elem_id="rate-close-no")
    with gr.Accordion("Start a round", open=False, elem_id="rate-new-box") as box:
        panel, power = start.build()
    raters.build(ws, page, view)
    parts = Parts(which, box, empty, body, about, surface, share, outcome, collect, make, made,
                  onward, every, close, sure)  # fmt: skip
    _wire_onward(ws, page, train, view)
    ask.click(lambda: gr.Row(visible=True), None, sure, **markup.QUIET)
    no.click(lambda: gr.Row(visible=False), None, sure, **markup.QUIET)
    _wire_panel(ws, page, panel, power)
    _wire(ws, page, view, parts, {"go": panel.go, "make": make, "yes": yes}, panel)


def make_pairs(ws: Workspace, project: str | None, chosen: str | None, every: bool) -> PairExport:
    """Pairs from the votes of this round, or of all rating rounds."""
    if not project or not chosen:
        raise UserError("No round is chosen.", "Choose one in the list.")
    return preferences_build.make(ws, who(ws), project, None if every else [chosen])


def aim_at_pairs(ws: Workspace, project: str | None, chosen: str | None) -> Aim:
    """Preference training on the newest pairs that the votes of this round are in."""
    one = rounds.get(ws, who(ws), chosen) if chosen else None
    export = latest(ws, project, one) if one and project else None
    return Aim(method="dpo", dataset=export.dataset_id if export else "")


def _updates(view: View, now: dict[str, Any]) -> list[Any]:
    """The new view and an update for each part; `skip` for what is drawn already."""
    new = {name: value for name, value in now.items() if view.get(name, ...) != value}
    rows = ("collect", "onward", "close")
    html = ("about", "surface", "share", "outcome", "made")
    made = {
        "which": lambda known: gr.Dropdown(list(known[0]), value=known[1], visible=bool(known[0])),
        "every": lambda seen: gr.Checkbox(visible=seen),
        "make": _make_button,
        "sure": lambda _: gr.Row(visible=False),
        "box": lambda wide: gr.Accordion(open=wide),
        # an empty block would still take its place in the column
        **dict.fromkeys(html, lambda text: gr.HTML(text, visible=bool(text))),
        **dict.fromkeys(rows, lambda seen: gr.Row(visible=seen)),
        **dict.fromkeys(("empty", "body"), lambda seen: gr.Column(visible=seen)),
    }
    updates = [made[name](new[name]) if name in new else gr.skip() for name in Parts._fields]
    return [{**view, **now}, *updates]


def _make_button(made: bool) -> gr.Button:
    """The next step until there are pairs; then that is the training."""
    if made:
        return gr.Button("Make the pairs again", variant="secondary")
    return gr.Button("Make DPO pairs", variant="primary")


def _chosen(view: View) -> str | None:
    return view["which"][1] if "which" in view else None


def _wire_onward(ws: Workspace, page: Page, train: gr.Button, view: gr.State) -> None:
    @shows_errors
    def on_train(seen: View, project: str | None) -> Any:
        return aim_at_pairs(ws, project, _chosen(seen)), gr.Tabs(selected="training")

    train.click(on_train, [view, page.project], [page.aim, page.tabs], **markup.QUIET)


def _wire_panel(ws: Workspace, page: Page, panel: start.StartPanel, power: gr.HTML) -> None:
    chosen = [panel.purpose, panel.new, panel.base, panel.dataset]
    size = [panel.purpose, panel.dataset, panel.prompts, panel.overlap, panel.more.decision,
            panel.more.pasted]  # fmt: skip
    dropdowns = [panel.new, panel.base, panel.dataset]
    choose = shows_errors(partial(start.choices, ws))
    said = shows_errors(partial(start.power, ws))
    markup.on_show(page, choose, [page.project, *chosen], dropdowns)
    panel.purpose.change(choose, [page.project, *chosen], dropdowns, **markup.QUIET)
    gr.on([each.change for each in size], said, size, power, **markup.QUIET)


def _wire(
    ws: Workspace,
    page: Page,
    view: gr.State,
    parts: Parts,
    buttons: dict[str, gr.Button],
    panel: start.StartPanel,
) -> None:
    # What is chosen comes from the view: a dropdown refuses a value that a look has just removed.
    @shows_errors
    def on_look(seen: View, project: str | None) -> Any:
        return _updates(seen, look(ws, project, _chosen(seen)))

    @shows_errors
    def on_show(aim: Aim, seen: View, project: str | None) -> Any:
        kept = Aim() if aim.round else gr.skip()
        return [kept, *_updates(seen, look(ws, project, aim.round or _chosen(seen)))]

    @shows_errors
    def on_pick(seen: View, project: str | None, chosen: str | None) -> Any:
        return _updates(seen, look(ws, project, chosen))

    given, out = [view, page.project], [view, *parts]
    markup.on_show(page, on_show, [page.aim, *given], [page.aim, *out])
    markup.live(page, on_look, given, out, every=LOOK_EVERY_S)
    parts.which.input(on_pick, [*given, parts.which], out, **markup.QUIET)
    acts = partial(shows_errors(_act), ws)
    buttons["go"].click(partial(acts, _start), [*given, *panel.values], out, **markup.QUIET)
    buttons["make"].click(partial(acts, _make), [*given, parts.every], out, **markup.QUIET)
    buttons["yes"].click(partial(acts, _close), given, out, **markup.QUIET)


def _act(ws: Workspace, act: Any, seen: View, project: str | None, *values: Any) -> list[Any]:
    """Do what a button asks for, then show the round that it was about."""
    drawn, chosen = act(ws, seen, project, *values)
    return _updates(drawn, look(ws, project, chosen))


def _start(ws: Workspace, seen: View, project: str | None, *values: Any) -> tuple[View, str | None]:
    made = start.plan(ws, project, *values)
    return {**seen, "box": True}, made.id  # opened by a click that the view does not know of


def _make(ws: Workspace, seen: View, project: str | None, every: bool) -> tuple[View, str | None]:
    make_pairs(ws, project, _chosen(seen), every)
    return seen, _chosen(seen)


def _close(ws: Workspace, seen: View, project: str | None) -> tuple[View, str | None]:
    chosen = _chosen(seen)
    if chosen and project:
        rounds.close(ws, who(ws), chosen)
    return seen, chosen
