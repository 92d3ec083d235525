"""Loop: is it getting better? The generations on one line, the champion, and the next step."""

from functools import partial
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.services.jobs import lifecycle
from engine.services.loop import auto, champion
from engine.services.loop.generations import Generation, History
from engine.services.loop.history import history
from engine.services.loop.status import standing
from engine.services.preferences import lineage
from engine.workspace import Workspace
from ui.components import choice_cards, markup, names
from ui.components.page import Aim, Page
from ui.pages.loop import detail, generations_chart
from ui.pages.loop.auto_loop import Itself
from ui.pages.loop.auto_loop import build as build_itself
from ui.web.errors import shows_errors
from ui.web.session import who

LOOK_EVERY_S = 4.0
NOTHING = (
    "Every model that learns from votes becomes a point on a line here, with how often people "
    "prefer it to the model you began with. Add data and train a first model to begin."
)

View = dict[str, Any]  # what one browser tab has drawn already, by the name of its part


class Parts(NamedTuple):
    """What a look may change."""

    empty: gr.Column
    body: gr.Column
    said: gr.HTML
    line: gr.HTML
    chosen: gr.HTML
    links: gr.Row
    promote: gr.Button
    words: gr.HTML
    go: gr.Button
    champion: gr.HTML
    back: gr.Button
    rules: gr.HTML
    going: gr.HTML
    stop: gr.Button


class Links(NamedTuple):
    """Where the chosen generation came from and where it was tested."""

    run: gr.Button
    pairs: gr.Button
    rounds: gr.Button
    evaluation: gr.Button


def build(ws: Workspace, page: Page) -> None:
    """The tab: the line and its sentence, the chosen generation, the next step, the champion."""
    gr.HTML(
        markup.head("Loop", "Is it getting better? Each round of votes is a point on this line.")
    )
    view = gr.State({})
    with gr.Column(visible=False) as empty:
        gr.HTML(markup.empty("No generation yet", NOTHING))
    with gr.Column(visible=False) as body:
        said = gr.HTML("", elem_id="loop-said")
        drawn = choice_cards.component("loop-line")
        chosen = gr.HTML("", elem_id="loop-chosen")
        with gr.Row(visible=False, elem_classes="tl-actions") as links:
            opened = Links(
                gr.Button("Its run", elem_id="loop-run"),
                gr.Button("Train on its pairs again", elem_id="loop-pairs"),
                gr.Button("Its votes", elem_id="loop-votes"),
                gr.Button("Its evaluation", elem_id="loop-evaluation"),
            )
            promote = gr.Button("Make it the champion", elem_id="loop-promote")
    with gr.Row(elem_classes="tl-home"):
        with gr.Column(scale=5, min_width=290, elem_classes="tl-next"):
            words = gr.HTML("", elem_id="loop-next")
            go = gr.Button("Go", variant="primary", elem_id="loop-go")
        with gr.Column(scale=6, min_width=290):
            best = gr.HTML("", elem_id="loop-champion")
            back = gr.Button("Back to the one before", visible=False, elem_id="loop-back")
    with gr.Accordion("When to stop", open=False, elem_id="loop-rules-box"):
        rules = gr.HTML("", elem_id="loop-rules")
    itself = build_itself(ws, page)
    parts = Parts(empty, body, said, drawn, chosen, links, promote, words, go, best, back, rules,
                  itself.going, itself.stop)  # fmt: skip
    _wire(ws, page, view, parts, itself)
    _wire_links(ws, page, view, opened)


def look(ws: Workspace, project: str | None, chosen: str | None) -> View:
    """All that the tab shows, by the name of its part; `chosen` is the id of a model."""
    if not project:
        return {"empty": True, "body": False, "picked": None}
    seen = history(ws, who(ws), project)
    called = names.of_models(ws, project)
    one = pick(seen, chosen)
    stands = standing(ws, who(ws), project)
    decided = champion.list_all(ws, who(ws), project)
    loop = auto.newest(ws, who(ws), project)
    said = lifecycle.watch(ws, who(ws), loop.id) if loop else []
    return {
        "picked": one.model.id if one else None,
        "tab": stands.next_tab,
        "empty": seen.baseline is None,
        "body": seen.baseline is not None,
        "said": detail.headline(seen),
        "line": generations_chart.picture(seen, called, one.model.id if one else None),
        "chosen": _in_words(ws, seen, one, called) if one else "",
        "links": one is not None,
        "promote": one is not None and one.model.id != seen.champion_id,
        "words": detail.next_step(stands),
        "go": stands.next_title,
        "champion": detail.champion(seen, called, decided),
        "back": len(champion.line(decided[::-1])) > 1,
        "rules": detail.rules(seen.rules),
        "going": detail.going(loop, said),
        "stop": loop is not None and not loop.over,
    }


def pick(seen: History, chosen: str | None) -> Generation | None:
    """The chosen generation where it is of this project, else the newest."""
    for one in seen.generations:
        if one.model.id == chosen:
            return one
    return seen.generations[-1] if seen.generations else None


def _in_words(ws: Workspace, seen: History, one: Generation, called: dict[str, str]) -> str:
    name = called.get(one.model.id, one.model.name)
    stale = lineage.stale_model(ws, who(ws), one.model.id)
    return detail.generation(one, name, said=one.sentence == seen.sentence, stale=stale)


def promote(ws: Workspace, project: str | None, seen: View) -> str:
    """The sentence after the chosen generation became the champion."""
    if not project or not seen.get("picked"):
        raise UserError("No generation is chosen.", "Choose one on the line.")
    one = pick(history(ws, who(ws), project), seen["picked"])
    reason = one.sentence if one else ""
    champion.promote(ws, who(ws), project, seen["picked"], reason)
    return "It is what the next training starts from."


def roll_back(ws: Workspace, project: str | None, _: View) -> str:
    """The sentence after the champion before became champion again."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    champion.roll_back(ws, who(ws), project)
    return "The champion before is champion again."


def _updates(view: View, now: View) -> list[Any]:
    """The new view and an update for each part; `skip` for what is drawn already."""
    columns = ("empty", "body")
    buttons = ("promote", "back", "stop")
    made = {
        **dict.fromkeys(columns, lambda seen: gr.Column(visible=seen)),
        **dict.fromkeys(buttons, lambda seen: gr.Button(visible=seen)),
        "links": lambda seen: gr.Row(visible=seen),
        "go": lambda title: gr.Button(title),
        # an empty block would still take its place in the column
        **dict.fromkeys(("chosen", "going"), lambda text: gr.HTML(text, visible=bool(text))),
    }
    updates = [
        made.get(name, str)(now[name])
        if name in now and view.get(name, ...) != now[name]
        else gr.skip()
        for name in Parts._fields
    ]
    return [{**view, **now}, *updates]


def _wire(ws: Workspace, page: Page, view: gr.State, parts: Parts, itself: Itself) -> None:
    @shows_errors
    def on_look(seen: View, project: str | None) -> Any:
        return _updates(seen, look(ws, project, seen.get("picked")))

    @shows_errors
    def on_pick(seen: View, project: str | None, event: gr.EventData) -> Any:
        return _updates(seen, look(ws, project, choice_cards.picked(event)))

    @shows_errors
    def act(what: Any, title: str, seen: View, project: str | None, *values: Any) -> Any:
        gr.Success(what(ws, project, seen, *values), title=title)
        return _updates(seen, look(ws, project, seen.get("picked")))

    given, out = [view, page.project], [view, *parts]
    markup.on_show(page, on_look, given, out)
    markup.live(page, on_look, given, out, every=LOOK_EVERY_S)
    parts.line.click(on_pick, given, out, **markup.QUIET)
    parts.promote.click(partial(act, promote, "Promoted"), given, out, **markup.QUIET)
    parts.back.click(partial(act, roll_back, "Taken back"), given, out, **markup.QUIET)
    parts.go.click(
        lambda seen: gr.Tabs(selected=seen.get("tab", "data")), view, page.tabs, **markup.QUIET
    )
    starts = partial(act, itself.on_start, "Started")
    itself.start.click(starts, [*given, *itself.fields], out, **markup.QUIET)
    parts.stop.click(partial(act, itself.on_stop, "Stopping"), given, out, **markup.QUIET)


def aim_at_run(ws: Workspace, project: str | None, seen: View) -> Aim:
    """The run that made the chosen generation."""
    one = _chosen(ws, project, seen)
    return Aim(run=(one.model.job_id or "") if one else "")


def aim_at_pairs(ws: Workspace, project: str | None, seen: View) -> Aim:
    """A training on the pairs that the chosen generation learned from."""
    one = _chosen(ws, project, seen)
    return Aim(method="dpo", dataset=one.model.dataset_id or "") if one else Aim()


def aim_at_votes(ws: Workspace, project: str | None, seen: View) -> Aim:
    """The blind round of the chosen generation: that against the baseline, or the open one."""
    one = _chosen(ws, project, seen)
    tested = one and (one.against_baseline or one.against_previous)
    return Aim(round=(tested.round_id if tested else one.waiting or "") if one else "")


def aim_at_evaluation(ws: Workspace, project: str | None, seen: View) -> Aim:
    """The evaluation that compared the chosen generation with the model it began as."""
    one = _chosen(ws, project, seen)
    return Aim(evaluation=(one.evaluation_id or "") if one else "")


def _wire_links(ws: Workspace, page: Page, view: gr.State, links: Links) -> None:
    @shows_errors
    def to(tab: str, aims: Any, seen: View, project: str | None) -> Any:
        return aims(ws, project, seen), gr.Tabs(selected=tab)

    given, out = [view, page.project], [page.aim, page.tabs]
    links.run.click(partial(to, "jobs", aim_at_run), given, out, **markup.QUIET)
    links.pairs.click(partial(to, "training", aim_at_pairs), given, out, **markup.QUIET)
    links.rounds.click(partial(to, "rating", aim_at_votes), given, out, **markup.QUIET)
    links.evaluation.click(partial(to, "evaluation", aim_at_evaluation), given, out, **markup.QUIET)


def _chosen(ws: Workspace, project: str | None, seen: View) -> Generation | None:
    return pick(history(ws, who(ws), project), seen.get("picked")) if project else None
