"""Bases of the Hugging Face Hub: search, look, add, and see the download; remove a base."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.actor import Role
from engine.core.hub import HubBase
from engine.core.job import Job
from engine.services import hub
from engine.services.jobs import lifecycle, queue_position
from engine.services.models import bases, registry
from engine.workspace import Workspace
from ui.components import choice_cards, markup, names, refresh
from ui.components.page import Page, opened
from ui.components.refresh import Drawn, Refresher
from ui.pages.models import hub_render, render
from ui.web.errors import shows_errors
from ui.web.session import who

POLL_EVERY_S = 1.0
LATEST = 4  # downloads listed
INTRO = (
    "Size, licence, access and what fits this machine are shown before anything is downloaded. "
    "Weights come as safetensors only; code of a model is never run."
)


# the card stands above the list: on a phone it would be out of sight
SHOW_FACTS = "() => document.getElementById('hub-facts')?.scrollIntoView({block: 'nearest'})"


class HubParts(NamedTuple):
    """What a poll may change."""

    bases: gr.HTML
    downloads: gr.HTML
    stop: gr.Button
    removable: gr.Dropdown
    timer: gr.Timer


REFRESHER = Refresher[Drawn](
    HubParts._fields,
    {
        "downloads": refresh.text_or_hidden,
        "stop": refresh.shown(gr.Button),
        "removable": lambda choices: gr.Dropdown(choices, value=None),
        "timer": lambda live: gr.Timer(active=live),
    },
)
Shown = tuple[str, str] | None  # name and commit of the base that is looked at


class SearchParts(NamedTuple):
    """The way to a base: words, what they found, and the one that is looked at."""

    box: gr.Accordion
    text: gr.Textbox
    search: gr.Button
    found: gr.HTML
    facts: gr.HTML
    add: gr.Button
    shown: gr.State


def build(ws: Workspace, page: Page, listed: gr.HTML) -> None:
    """The panel; `listed` is the page's list of bases, which a finished download adds to."""
    seek = _search_parts()
    downloads = gr.HTML("", visible=False, elem_id="hub-downloads")
    stop = gr.Button("Stop the download", visible=False, elem_id="hub-stop")
    with gr.Accordion("Remove a base model", open=False, elem_id="models-remove") as removal:
        gr.HTML(f'<p class="tl-hint">{hub_render.REMOVAL}</p>')
        removable = gr.Dropdown([], label="Base model", elem_id="remove-model")
        remove = gr.Button("Remove", variant="stop", elem_id="remove-go")
    timer = gr.Timer(POLL_EVERY_S, active=False)
    view = gr.State(Drawn())
    parts = HubParts(listed, downloads, stop, removable, timer)

    @shows_errors
    def on_show(project: str | None, view: Drawn) -> tuple[Any, ...]:
        owner = who(ws).role >= Role.OWNER
        return gr.Accordion(visible=owner), gr.Accordion(visible=owner), *draw(ws, project, view)

    _wire_search(ws, page, seek, parts, view)
    _wire_bases(ws, page, remove, parts, view)
    markup.on_show(page, on_show, [page.project, view], [seek.box, removal, view, *parts])


def _search_parts() -> SearchParts:
    with gr.Accordion(
        "Add a base model from the Hugging Face Hub", open=False, elem_id="models-hub"
    ) as box:
        gr.HTML(f'<p class="tl-hint">{INTRO}</p>')
        with gr.Row(elem_id="hub-search"):
            text = gr.Textbox(
                label="Name, or words of it",
                placeholder="smollm2, or ORGANISATION/NAME",
                max_lines=1,
                scale=4,
                elem_id="hub-text",
            )
            search = gr.Button("Search", scale=1, min_width=120, elem_id="hub-go")
        facts = gr.HTML("", visible=False, elem_id="hub-facts")
        add = gr.Button("Add this model", variant="primary", visible=False, elem_id="hub-add")
        found = choice_cards.component("hub-found", hub_render.suggestions())
    return SearchParts(box, text, search, found, facts, add, gr.State(None))


def _wire_search(
    ws: Workspace, page: Page, seek: SearchParts, parts: HubParts, view: gr.State
) -> None:
    """Search, look at one base, and queue its download."""

    def looked_at(name: str) -> tuple[Any, ...]:
        base = hub.look(ws, who(ws), name)
        return (
            (base.name, base.revision),
            gr.HTML(hub_render.facts(base), visible=True),
            gr.Button(visible=_can_be_added(base)),
        )

    @shows_errors
    def on_search(words: str) -> tuple[Any, ...]:
        if "/" in words:
            return gr.skip(), *looked_at(words)
        result = hub.search(who(ws), words)
        return hub_render.results(result, words), *_nothing_looked_at()

    @shows_errors
    def on_pick(event: gr.EventData) -> tuple[Any, ...]:
        return looked_at(choice_cards.picked(event))

    @shows_errors
    def on_add(project: str | None, view: Drawn, shown: Shown) -> tuple[Any, ...]:
        if shown:
            hub.add(ws, who(ws), opened(project), *shown)
        return *_nothing_looked_at(), *draw(ws, project, view)

    looked = [seek.shown, seek.facts, seek.add]
    asked = [seek.search.click, seek.text.submit]
    searched = gr.on(asked, on_search, [seek.text], [seek.found, *looked], **markup.QUIET)
    picked = seek.found.click(on_pick, None, looked, **markup.QUIET)
    picked.then(None, None, None, js=SHOW_FACTS)
    for event in (searched, picked):  # the card of another model never stands below a refusal
        event.failure(_nothing_looked_at, None, looked, **markup.QUIET)
    inputs = [page.project, view, seek.shown]
    seek.add.click(on_add, inputs, [*looked, view, *parts], **markup.QUIET)


def _wire_bases(
    ws: Workspace, page: Page, remove: gr.Button, parts: HubParts, view: gr.State
) -> None:
    """Follow downloads, stop them, and remove a base."""

    @shows_errors
    def on_look(project: str | None, view: Drawn) -> list[Any]:
        return draw(ws, project, view)

    @shows_errors
    def on_stop(project: str | None, view: Drawn) -> list[Any]:
        for job in _downloads(ws, project):
            if not job.over:
                lifecycle.cancel(ws, who(ws), job.id)
        return draw(ws, project, view)

    @shows_errors
    def on_remove(project: str | None, view: Drawn, model: str | None) -> list[Any]:
        if model:
            name = bases.by_name(ws, who(ws), model).name
            freed = bases.remove(ws, who(ws), model)
            gr.Success(hub_render.removed(name, freed), title="Removed")
        return draw(ws, project, view.without("removable"))

    outputs = [view, *parts]
    parts.timer.tick(on_look, [page.project, view], outputs, **markup.QUIET)
    parts.stop.click(on_stop, [page.project, view], outputs, **markup.QUIET)
    remove.click(on_remove, [page.project, view, parts.removable], outputs, **markup.RAW)


def draw(ws: Workspace, project: str | None, view: Drawn) -> list[Any]:
    """Bases, downloads of the project as they stand, and whether there is more to wait for."""
    jobs = _downloads(ws, project)
    live = [job for job in jobs if not job.over]
    view = refresh.reading(ws, view, live)
    known = [one for one in registry.list_all(ws, who(ws), project) if one.kind == "base"]
    called = names.of_models(ws, project)
    waits = {one.job_id: one for one in queue_position.queue(ws, who(ws))} if live else {}
    return REFRESHER.changed(
        view,
        {
            "bases": render.bases_of(known),
            "downloads": hub_render.downloads(jobs, view, waits),
            "stop": bool(live),
            "removable": [(called[one.id], one.id) for one in known],
            "timer": bool(live),
        },
    )


def _can_be_added(base: HubBase) -> bool:
    return not base.obstacles and base.model_id is None


def _nothing_looked_at() -> tuple[Any, ...]:
    return None, gr.HTML("", visible=False), gr.Button(visible=False)


def _downloads(ws: Workspace, project: str | None) -> list[Job]:
    """The newest downloads, each base once: a later try stands for those before it."""
    if not project:
        return []
    newest: dict[str, Job] = {}
    for job in hub.downloads(ws, who(ws), project):
        newest.setdefault(job.name, job)
    return list(newest.values())[:LATEST]
