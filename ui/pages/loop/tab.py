"""The Loop page: next action, generations against the baseline, the champion, the auto loop."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypedDict

import gradio as gr

from engine.core.errors import UserError
from engine.core.project import NextAction
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.loop import auto_loop_start, champion, dial
from engine.services.loop.edit_cost import edit_costs
from engine.services.loop.generations import Generation, History
from engine.services.loop.history import history
from engine.services.loop.status import status
from engine.services.preferences import lineage
from engine.services.rating import reward_heads
from engine.workspace import Workspace
from ui.components import choice_cards, loop_words, markup, names, refresh
from ui.components.page import NavigationTarget, Page, opened
from ui.components.refresh import Drawn, Refresher
from ui.pages.loop import (
    auto_loop_panel,
    detail,
    dial_panel,
    edit_chart,
    generations_chart,
    preference_panel,
)
from ui.pages.loop.auto_loop_panel import AutoLoopPanel
from ui.pages.loop.dial_panel import DialPanel
from ui.web.errors import shows_errors
from ui.web.session import who

POLL_EVERY_S = 4.0
NOTHING = (
    "Every model that learns from votes becomes a point on a line here, with how often people "
    "prefer it to the model you began with. Add data and train a first model to begin."
)


@dataclass(frozen=True)
class LoopView(Drawn):
    """What one browser session shows: the generation it picked (a model), and the next action."""

    picked: str | None = None
    action: NextAction = "add_data"
    job_id: str | None = None  # of the newest auto loop
    dial_id: str | None = None  # of the newest measurement of the picked generation's strengths
    head_id: str | None = None  # of the newest job that learned what raters prefer


class LoopParts(NamedTuple):
    """The components that a refresh may update."""

    words: gr.HTML
    go: gr.Button
    empty: gr.Column
    body: gr.Column
    headline: gr.HTML
    chart: gr.HTML
    chosen: gr.HTML
    links: gr.Row
    pairs: gr.Button
    rounds: gr.Button
    evaluation: gr.Button
    promote: gr.Button
    dial: gr.Column
    dial_picture: gr.HTML
    dial_choice: gr.Row
    strength: gr.Slider
    edits: gr.HTML
    preferred: gr.HTML
    weak: gr.HTML
    champion: gr.HTML
    back: gr.Button
    rules: gr.HTML
    progress: gr.HTML
    stop: gr.Button


class Links(NamedTuple):
    """Where the chosen generation came from and where it was tested."""

    run: gr.Button
    pairs: gr.Button
    rounds: gr.Button
    evaluation: gr.Button


REFRESHER = Refresher[LoopView](
    LoopParts._fields,
    {
        **dict.fromkeys(("empty", "body", "dial"), refresh.shown(gr.Column)),
        **dict.fromkeys(
            ("pairs", "rounds", "evaluation", "promote", "back", "stop"), refresh.shown(gr.Button)
        ),
        **dict.fromkeys(
            ("chosen", "progress", "dial_picture", "edits", "preferred", "weak"),
            refresh.text_or_hidden,
        ),
        **dict.fromkeys(("links", "dial_choice"), refresh.shown(gr.Row)),
        "strength": lambda found: gr.skip() if found is None else gr.Slider(value=found),
        "go": lambda title: gr.Button(title),
    },
)


def build(ws: Workspace, page: Page) -> None:
    """The next action, then the generations, the champion, the stop rules and the auto loop."""
    gr.HTML(
        markup.head("Loop", "Each generation compared with the baseline, blind, with its interval.")
    )
    view = gr.State(LoopView())
    with gr.Row(elem_classes="tl-next tl-next-bar"):
        words = gr.HTML("", elem_id="loop-next")
        go = gr.Button("Go", variant="primary", elem_id="loop-go")
    with gr.Column(visible=False) as empty:
        gr.HTML(markup.empty("No generation yet", NOTHING))
    with gr.Column(visible=False) as body:
        headline = gr.HTML("", elem_id="loop-said")
        chart = choice_cards.component("loop-line")
        chosen = gr.HTML("", elem_id="loop-chosen")
        with gr.Row(visible=False, elem_classes="tl-actions") as links:
            links_of_it = Links(
                gr.Button("Open its job", elem_id="loop-run"),
                gr.Button("Train on the same pairs", elem_id="loop-pairs"),
                gr.Button("Open its blind round", elem_id="loop-votes"),
                gr.Button("Open its evaluation", elem_id="loop-evaluation"),
            )
            promote = gr.Button("Make it the champion", elem_id="loop-promote")
        strengths = dial_panel.build()
        edits = gr.HTML("", visible=False, elem_id="loop-edits")
        gr.HTML(markup.part(preference_panel.TITLE, preference_panel.ABOUT))
        preferred = gr.HTML("", visible=False, elem_id="loop-preferred")
        weak = gr.HTML("", visible=False, elem_id="loop-weak")
        with gr.Row(elem_classes="tl-actions"):
            learn = gr.Button("Learn from the votes", elem_id="loop-learn")
    best = gr.HTML("", elem_id="loop-champion")
    with gr.Row(elem_classes="tl-actions"):
        back = gr.Button("Back to the previous champion", visible=False, elem_id="loop-back")
    with gr.Accordion("Stop rules", open=False, elem_id="loop-rules-box"):
        rules = gr.HTML("", elem_id="loop-rules")
    panel = auto_loop_panel.build(ws, page)
    parts = LoopParts(words, go, empty, body, headline, chart, chosen, links, links_of_it.pairs,
                  links_of_it.rounds, links_of_it.evaluation, promote, strengths.box,
                  strengths.picture, strengths.choice, strengths.strength, edits, preferred, weak,
                  best, back, rules, panel.progress, panel.stop)  # fmt: skip
    _wire(ws, page, view, parts, panel, strengths, learn)
    _wire_links(ws, page, view, links_of_it)


def poll(ws: Workspace, project: str | None, seen: LoopView) -> list[Any]:
    """The view and an update for every part; the history is read only after something changed."""
    if not project:
        now = replace(seen, picked=None, revision=None)
        return REFRESHER.changed(now, {"empty": True, "body": False})
    revision = (project, projects.revision(ws, who(ws), project), seen.picked)
    if revision != seen.revision:
        seen, values = of_project(ws, project, seen)
        seen = replace(seen, revision=(*revision[:2], seen.picked))
    else:
        values = LoopValues()
    seen, going = _under_way(ws, seen)
    return REFRESHER.changed(seen, {**values, **going})


class LoopValues(TypedDict, total=False):
    """The value of each part of the page that a poll may change."""

    words: str
    go: str
    empty: bool
    body: bool
    headline: str
    chart: str
    chosen: str
    links: bool
    pairs: bool
    rounds: bool
    evaluation: bool
    promote: bool
    dial: bool
    dial_picture: str
    dial_choice: bool
    strength: float | None
    edits: str
    preferred: str
    weak: str
    champion: str
    back: bool
    rules: str
    progress: str
    stop: bool


def of_project(ws: Workspace, project: str, seen: LoopView) -> tuple[LoopView, LoopValues]:
    """The view, and what every part shows of the project but the progress of its auto loop."""
    loop_history = history(ws, who(ws), project)
    called = names.of_models(ws, project)
    generation = pick(loop_history, seen.picked)
    loop_status = status(ws, who(ws), project)
    decided = champion.list_all(ws, who(ws), project)
    job = auto_loop_start.newest(ws, who(ws), project)
    action = loop_words.ACTIONS[loop_status.next_action]
    picked = generation.model.id if generation else None
    measured = dial.newest(ws, who(ws), project, picked) if picked else None
    learned = reward_heads.newest(ws, who(ws), project)
    now = replace(
        seen,
        picked=picked,
        action=loop_status.next_action,
        job_id=job.id if job else None,
        dial_id=measured.id if measured else None,
        head_id=learned.id if learned else None,
    )
    return now, {
        "words": loop_words.next_action(loop_status),
        "go": action.title,
        "empty": loop_history.baseline is None,
        "body": loop_history.baseline is not None,
        "headline": detail.headline(loop_history),
        "chart": generations_chart.picture(loop_history, called, picked),
        "chosen": _in_words(ws, loop_history, generation, called) if generation else "",
        "links": generation is not None,
        "pairs": generation is not None and bool(generation.pairs),
        "rounds": generation is not None and bool(_tested(generation)),
        "evaluation": generation is not None and bool(generation.evaluation_id),
        "promote": generation is not None and generation.model.id != loop_history.champion_id,
        "dial": picked is not None and not dial.refusal(ws, who(ws), project, picked),
        "weak": preference_panel.best_of(ws, project),
        "edits": edit_chart.picture(edit_costs(ws, who(ws), project), called),
        "champion": detail.champion(loop_history, called, decided),
        "back": len(champion.champions(decided[::-1])) > 1,
        "rules": detail.rules(loop_history.rules),
    }


def _under_way(ws: Workspace, seen: LoopView) -> tuple[LoopView, LoopValues]:
    """How far the auto loop and the dial are, their events read from where the last poll ended."""
    job, measured, learned = (
        lifecycle.get(ws, who(ws), each) if each else None
        for each in (seen.job_id, seen.dial_id, seen.head_id)
    )
    now = refresh.reading(ws, seen, [each for each in (job, measured, learned) if each])
    return now, {
        "progress": detail.progress(job, now.track(seen.job_id)),
        "stop": job is not None and not job.over,
        "dial_picture": dial_panel.picture(measured, now.track(seen.dial_id)),
        "dial_choice": dial_panel.recommended(measured) is not None,
        "strength": dial_panel.recommended(measured),
        "preferred": preference_panel.picture(learned, now.track(seen.head_id)),
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
    return detail.generation(one, name, repeated=one.sentence == seen.sentence, stale=stale)


def promote(ws: Workspace, project: str, seen: LoopView) -> str:
    """Promote the chosen generation; the message to show."""
    if not seen.picked:
        raise UserError("No generation is chosen.", "Choose one on the chart.")
    generation = pick(history(ws, who(ws), project), seen.picked)
    champion.promote(ws, who(ws), project, seen.picked, generation.sentence if generation else "")
    return "The next training starts from it."


def roll_back(ws: Workspace, project: str, _: LoopView) -> str:
    """Make the previous champion champion again; the message to show."""
    champion.roll_back(ws, who(ws), project)
    return "The previous champion is champion again."


def _wire(
    ws: Workspace,
    page: Page,
    view: gr.State,
    parts: LoopParts,
    panel: AutoLoopPanel,
    strengths: DialPanel,
    learn: gr.Button,
) -> None:
    @shows_errors
    def on_poll(seen: LoopView, project: str | None) -> Any:
        return poll(ws, project, seen)

    @shows_errors
    def on_pick(seen: LoopView, project: str | None, event: gr.EventData) -> Any:
        return poll(ws, project, replace(seen, picked=choice_cards.picked(event)))

    @shows_errors
    def act(
        what: Callable[..., str], title: str, seen: LoopView, project: str | None, *values: Any
    ) -> Any:
        gr.Success(what(ws, opened(project), seen, *values), title=title)
        return poll(ws, project, seen)

    given, out = [view, page.project], [view, *parts]
    markup.on_show(page, on_poll, given, out)
    markup.live(page, on_poll, given, out, every=POLL_EVERY_S)
    parts.chart.click(on_pick, given, out, **markup.QUIET)
    parts.promote.click(partial(act, promote, "Promoted"), given, out, **markup.QUIET)
    measures = partial(act, dial_panel.measure, "Measuring")
    strengths.measure.click(measures, given, out, **markup.QUIET)
    learns = partial(act, preference_panel.learn, "Learning")
    learn.click(learns, given, out, **markup.QUIET)
    uses = partial(act, dial_panel.use, "Started")
    strengths.use.click(uses, [*given, strengths.strength], out, **markup.QUIET)
    parts.back.click(partial(act, roll_back, "Taken back"), given, out, **markup.QUIET)
    follow = loop_words.follow
    parts.go.click(lambda seen: follow(seen.action), view, [page.target, page.tabs], **markup.QUIET)
    starts = partial(act, auto_loop_panel.start, "Started")
    panel.start.click(starts, [*given, *panel.fields], out, **markup.QUIET)
    parts.stop.click(partial(act, auto_loop_panel.stop, "Stopping"), given, out, **markup.QUIET)


def aim_at_run(ws: Workspace, project: str | None, seen: LoopView) -> NavigationTarget:
    """The run that made the chosen generation."""
    generation = _chosen(ws, project, seen)
    return NavigationTarget(run=(generation.model.job_id or "") if generation else "")


def aim_at_pairs(ws: Workspace, project: str | None, seen: LoopView) -> NavigationTarget:
    """A training on the pairs that the chosen generation learned from."""
    generation = _chosen(ws, project, seen)
    return (
        NavigationTarget(method="dpo", dataset=generation.model.dataset_id or "")
        if generation
        else NavigationTarget()
    )


def aim_at_votes(ws: Workspace, project: str | None, seen: LoopView) -> NavigationTarget:
    """The blind round of the chosen generation: that against the baseline, or the open one."""
    generation = _chosen(ws, project, seen)
    return NavigationTarget(round=_tested(generation) if generation else "")


def _tested(one: Generation) -> str:
    """The blind round that tests a generation; empty while there is none."""
    tested = one.against_baseline or one.against_previous
    return tested.round_id if tested else one.waiting or ""


def aim_at_evaluation(ws: Workspace, project: str | None, seen: LoopView) -> NavigationTarget:
    """The evaluation that compared the chosen generation with the model it began as."""
    generation = _chosen(ws, project, seen)
    return NavigationTarget(evaluation=(generation.evaluation_id or "") if generation else "")


def _wire_links(ws: Workspace, page: Page, view: gr.State, links: Links) -> None:
    @shows_errors
    def to(tab: str, aims: Any, seen: LoopView, project: str | None) -> Any:
        return aims(ws, project, seen), gr.Tabs(selected=tab)

    given, out = [view, page.project], [page.target, page.tabs]
    links.run.click(partial(to, "jobs", aim_at_run), given, out, **markup.QUIET)
    links.pairs.click(partial(to, "training", aim_at_pairs), given, out, **markup.QUIET)
    links.rounds.click(partial(to, "rating", aim_at_votes), given, out, **markup.QUIET)
    links.evaluation.click(partial(to, "evaluation", aim_at_evaluation), given, out, **markup.QUIET)


def _chosen(ws: Workspace, project: str | None, seen: LoopView) -> Generation | None:
    return pick(history(ws, who(ws), project), seen.picked) if project else None
