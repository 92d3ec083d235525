"""The lower half of the Data page: the versions of the project, and one of them opened."""

import time
from functools import partial
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.examples import Kind
from engine.services.data import cleaning, datasets
from engine.workspace import Workspace
from ui.components import choice_cards, markup, words
from ui.components.live_plot import LivePlot
from ui.components.markup import RAW
from ui.components.page import NavigationTarget, Page
from ui.pages.data import findings, fix_preview, opened_version
from ui.pages.data.opened_version import Act
from ui.pages.data.preview import LONGEST
from ui.web.errors import shows_errors
from ui.web.session import who

REMOVE = "Remove this version with its rows? That cannot be undone."


class VersionAction(NamedTuple):
    """The button after data was added, the page it opens, and the training method there."""

    label: str
    page: str
    method: str = ""


NEXT: dict[Kind, VersionAction] = {
    "sft": VersionAction("Train on it", "training", "sft"),
    "text": VersionAction("Train on it", "training", "sft"),
    "preference": VersionAction("Train on it", "training", "dpo"),
    "unpaired": VersionAction("Train on it", "training", "kto"),
    "prompts": VersionAction("Rate answers to it", "rating"),
}


class VersionList(NamedTuple):
    """The list, and around the opened version what is not part of `OpenedVersion`."""

    title: gr.HTML
    cards: gr.HTML
    next: gr.Row
    ready: gr.HTML
    onward: gr.Button


class OpenedVersion(NamedTuple):
    """The components of the opened version that `opened_version.show` changes, in its order."""

    id: gr.State
    detail: gr.Column
    about: gr.HTML
    fixes: gr.CheckboxGroup
    change: gr.HTML
    apply: gr.Button
    undo: gr.Button
    rows: gr.HTML
    other: gr.Dropdown
    difference: gr.HTML
    sure: gr.Row
    system: gr.Accordion
    prompt: gr.Textbox
    prompt_change: gr.HTML


class VersionDetails(NamedTuple):
    """The components of the opened version that are filled after it is shown."""

    measured: gr.Column
    longest: gr.Number
    numbers: gr.HTML
    lengths: LivePlot
    sorts: gr.HTML
    uses: gr.HTML
    overlaps: gr.HTML
    part: gr.Row
    drop: gr.Button
    move: gr.Button
    add_prompt: gr.Button
    remove: gr.Button
    remove_yes: gr.Button
    remove_no: gr.Button


def build_next() -> dict[str, Any]:
    """The one next action, which stands above everything: train on the version."""
    made: dict[str, Any] = {}
    with gr.Row(visible=False, elem_classes="tl-ready", elem_id="data-ready") as made["next"]:
        made["ready"] = gr.HTML("")
        made["onward"] = gr.Button("Train on it", variant="primary", elem_id="data-next")
    return made


def build(made: dict[str, Any]) -> tuple[VersionList, OpenedVersion, VersionDetails]:
    """The cards, then the opened version from its head to its removal; `made` is the next step."""
    made["id"] = gr.State("")
    made["title"] = gr.HTML("", elem_id="data-shelf")
    made["cards"] = choice_cards.component("data-cards")
    with gr.Column(visible=False, elem_id="data-detail") as made["detail"]:
        made["about"] = gr.HTML("", elem_id="data-about")
        made["fixes"] = gr.CheckboxGroup([], label="Fixes", elem_id="data-mend-fixes")
        made["change"] = gr.HTML("", elem_id="data-mend-change")
        with gr.Row(elem_classes="tl-actions"):
            made["apply"] = gr.Button("Apply as a new version", elem_id="data-mend")
            made["undo"] = gr.Button("Undo these fixes", elem_id="data-undo")
        made["rows"] = gr.HTML("", elem_id="data-rows")
        _system_prompt(made)
        _numbers(made)
        _relations(made)
    return (
        VersionList(*(made[name] for name in VersionList._fields)),
        OpenedVersion(*(made[name] for name in OpenedVersion._fields)),
        VersionDetails(*(made[name] for name in VersionDetails._fields)),
    )


def _system_prompt(made: dict[str, Any]) -> None:
    with gr.Accordion("System prompt", open=False, elem_id="data-system") as made["system"]:
        made["prompt"] = gr.Textbox(
            label="System prompt for rows that have none", lines=2, max_length=4000,
            info="Replaces the text that the chat template adds, in training and in evaluation",
            placeholder="You are the help desk of a library. Answer briefly.",
            elem_id="data-prompt",
        )  # fmt: skip
        made["prompt_change"] = gr.HTML("", elem_id="data-prompt-change")
        with gr.Row(elem_classes="tl-actions"):
            made["add_prompt"] = gr.Button("Add as a new version", elem_id="data-prompt-add")


def _numbers(made: dict[str, Any]) -> None:
    with gr.Column(visible=False, elem_id="data-measured") as made["measured"]:
        gr.HTML(markup.part("Statistics", "In tokens of the base model."))
        made["numbers"] = gr.HTML("", elem_id="data-numbers")
        made["longest"] = gr.Number(
            LONGEST, label="Maximum length, in tokens", precision=0, elem_id="data-longest",
            minimum=opened_version.SHORTEST, maximum=opened_version.LARGEST,
        )  # fmt: skip
        made["lengths"] = LivePlot(height=240, elem_id="data-lengths")
        made["sorts"] = gr.HTML("", elem_id="data-sorts")


def _relations(made: dict[str, Any]) -> None:
    gr.HTML(markup.part("Overlap of training and test questions"))
    made["overlaps"] = gr.HTML("", elem_id="data-overlaps")
    with gr.Row(visible=False, elem_classes="tl-actions") as made["part"]:
        made["drop"] = gr.Button("Make a version without these rows", elem_id="data-drop-overlap")
        made["move"] = gr.Button("Move them to the other side", elem_id="data-move-overlap")
    gr.HTML(markup.part("Used by"))
    made["uses"] = gr.HTML("", elem_id="data-uses")
    gr.HTML(markup.part("Compare"))
    made["other"] = gr.Dropdown([], label="With the version", elem_id="data-other")
    made["difference"] = gr.HTML("", elem_id="data-difference")
    with gr.Row(elem_classes="tl-actions"):
        made["remove"] = gr.Button("Remove this version", elem_id="data-remove")
    with gr.Row(visible=False, elem_classes="tl-sure") as made["sure"]:
        gr.HTML(markup.notice(REMOVE, "warn"))
        made["remove_yes"] = gr.Button("Remove it", variant="stop", elem_id="data-remove-yes")
        made["remove_no"] = gr.Button("Keep it", elem_id="data-remove-no")


def version_list(ws: Workspace, project: str | None, chosen: str | None = None) -> tuple[Any, ...]:
    """The project's versions as a title and cards, and the way on once there is one."""
    versions = datasets.list_all(ws, who(ws), project) if project else []
    if not versions:
        text = (
            "Drop a file above, or start with the sample data."
            if project
            else "Make a project first, at the top of the page."
        )
        return markup.empty("No data in this project yet", text), "", gr.Row(visible=False), "", ""
    title = markup.part("In this project", "A version never changes. Choose one to look inside.")
    cards = choice_cards.cards([choice_cards.Pick(d.id, card(d)) for d in versions], chosen)
    one = next((each for each in versions if each.id == chosen), versions[0])
    return title, cards, gr.Row(visible=True), ready(one), NEXT[one.kind].label


def ready(one: Dataset) -> str:
    """That a version is ready, and for what."""
    return (
        f"<p><b>{escape(one.label)}</b> is ready: {one.train_rows:,} rows {words.use(one.kind)}, "
        f"{one.held_out_rows:,} held out.</p>"
    )


def go_on(ws: Workspace, project: str | None, chosen: str) -> tuple[NavigationTarget, gr.Tabs]:
    """To the page of the next step, with the opened version, or else the newest one, chosen."""
    versions = datasets.list_all(ws, who(ws), project) if project else []
    one = next((each for each in versions if each.id == chosen), versions[0] if versions else None)
    if one is None:
        raise UserError("No data in this project yet.", "Drop a file first.")
    step = NEXT[one.kind]
    aim = (
        NavigationTarget(method=step.method, dataset=one.id) if step.method else NavigationTarget()
    )
    return aim, gr.Tabs(selected=step.page)


def card(one: Dataset) -> str:
    """A version at a glance: name, kind, how it is split, when it came."""
    kind, _ = words.KINDS[one.kind]
    share = 100 * one.train_rows / one.rows
    return (
        f'<div class="tl-card-head"><b>{escape(one.name)}</b><span>@{one.version}</span></div>'
        f'<p class="tl-card-kind">{escape(kind)}</p>'
        f'<div class="tl-split" style="--tl-share:{share:.1f}%"><i></i></div>'
        f'<p class="tl-card-note"><b>{one.train_rows:,}</b> {words.use(one.kind)} · '
        f"<b>{one.held_out_rows:,}</b> held out</p>"
        f'<div class="tl-card-foot">'
        f"{findings.summary(one.findings)}"
        f"<span>{markup.when(one.created_at)}</span></div>"
    )


class Wiring(NamedTuple):
    """What the handlers of the versions share."""

    ws: Workspace
    page: Page
    listing: VersionList
    opened: OpenedVersion
    more: VersionDetails


def wire(wiring: Wiring) -> None:
    """Connect the list and the opened version."""
    _wire_list(wiring)
    _wire_numbers(wiring)
    _wire_views(wiring)
    _wire_changes(wiring)
    _wire_removal(wiring)


def _wire_list(wiring: Wiring) -> None:
    ws, page, listing = wiring.ws, wiring.page, wiring.listing

    @shows_errors
    def on_pick(event: gr.EventData) -> tuple[Any, ...]:
        return opened_version.show(ws, datasets.get(ws, who(ws), choice_cards.picked(event)))

    @shows_errors
    def on_list(project: str | None, chosen: str) -> tuple[Any, ...]:
        return version_list(ws, project, chosen)

    @shows_errors
    def on_next(project: str | None, chosen: str) -> tuple[NavigationTarget, gr.Tabs]:
        return go_on(ws, project, chosen)

    given = [page.project, wiring.opened.id]
    listing.onward.click(on_next, given, [page.target, page.tabs], **markup.QUIET)
    listing.cards.click(on_pick, None, [*wiring.opened], **markup.QUIET)
    closed = [wiring.opened.detail, wiring.opened.id]
    page.project.change(lambda: (gr.Column(visible=False), ""), None, closed, **markup.QUIET)
    held = [*listing]
    markup.on_show(page, on_list, [page.project, wiring.opened.id], held)


def _wire_numbers(wiring: Wiring) -> None:
    """What follows the open version: one event each, so that the last one wins."""
    ws, opened, more, listing = wiring.ws, wiring.opened, wiring.more, wiring.listing

    @shows_errors
    def on_open(project: str | None, dataset_id: str) -> tuple[Any, ...]:
        return version_list(ws, project, dataset_id)

    @shows_errors
    def on_measure(dataset_id: str, longest: Any) -> tuple[Any, ...]:
        return opened_version.measured(ws, dataset_id, longest)

    @shows_errors
    def on_relate(dataset_id: str) -> tuple[Any, ...]:
        return opened_version.related(ws, dataset_id)

    last: dict[str, Any] = {**markup.QUIET, "trigger_mode": "always_last"}
    held = [*listing]
    opened.id.change(on_open, [wiring.page.project, opened.id], held, **last)
    opened.id.change(lambda: ("data", time.time()), None, wiring.page.changed, **last)
    counted = [more.measured, more.numbers, more.lengths, more.sorts]
    opened.id.change(on_measure, [opened.id, more.longest], counted, **last)
    opened.id.change(on_relate, opened.id, [more.uses, more.overlaps, more.part], **last)
    gr.on(
        [more.longest.submit, more.longest.blur], on_measure, [opened.id, more.longest], counted,
        api_visibility="private", show_progress="full", show_progress_on=more.numbers,
    )  # fmt: skip


def _wire_views(wiring: Wiring) -> None:
    ws, opened = wiring.ws, wiring.opened

    @shows_errors
    def on_tick(dataset_id: str, fixes: Any) -> str:
        return opened_version.change(ws, dataset_id, fix_preview.chosen(fixes))

    @shows_errors
    def on_compare(dataset_id: str, other: Any) -> str:
        return opened_version.difference(ws, dataset_id, other)

    @shows_errors
    def on_type(dataset_id: str, prompt: Any) -> str:
        return opened_version.system_change(ws, dataset_id, str(prompt or ""))

    typed = {**RAW, "show_progress": "minimal", "show_progress_on": opened.prompt_change}
    gr.on(
        [opened.prompt.blur, opened.prompt.submit], on_type, [opened.id, opened.prompt],
        opened.prompt_change, **typed,
    )  # fmt: skip
    ticked = {**RAW, "show_progress": "minimal", "show_progress_on": opened.change}
    opened.fixes.input(
        on_tick, [opened.id, opened.fixes], opened.change, trigger_mode="always_last", **ticked
    )
    compared = [opened.id, opened.other]
    ticked = {**RAW, "show_progress": "minimal", "show_progress_on": opened.difference}
    opened.other.input(on_compare, compared, opened.difference, **ticked)


def _wire_changes(wiring: Wiring) -> None:
    ws, opened, more = wiring.ws, wiring.opened, wiring.more

    @shows_errors
    def on_apply(dataset_id: str, fixes: Any) -> tuple[Any, ...]:
        new, sentence = opened_version.apply_fixes(ws, dataset_id, fix_preview.chosen(fixes))
        gr.Success(sentence, title="Fixed")
        return opened_version.show(ws, new)

    @shows_errors
    def on_prompt(dataset_id: str, prompt: Any) -> tuple[Any, ...]:
        fix = cleaning.system_prompt(str(prompt or ""))
        new, sentence = opened_version.apply_fixes(ws, dataset_id, [fix])
        gr.Success(sentence, title="System prompt added")
        return opened_version.show(ws, new)

    def acting(act: Act, title: str) -> Any:
        @shows_errors
        def on_act(dataset_id: str) -> tuple[Any, ...]:
            new, sentence = act(ws, dataset_id)
            gr.Success(sentence, title=title)
            return opened_version.show(ws, new)

        return on_act

    busy = {**RAW, "show_progress": "full", "show_progress_on": opened.about}
    out = [*opened]
    more.add_prompt.click(on_prompt, [opened.id, opened.prompt], out, **busy)
    opened.apply.click(on_apply, [opened.id, opened.fixes], out, **busy)
    for button, act, title in (
        (opened.undo, opened_version.undo, "Undone"),
        (more.drop, partial(opened_version.part_overlap, how="drop"), "Left out"),
        (more.move, partial(opened_version.part_overlap, how="move"), "Moved"),
    ):
        button.click(acting(act, title), opened.id, out, **busy)


def _wire_removal(wiring: Wiring) -> None:
    ws, opened, more = wiring.ws, wiring.opened, wiring.more

    @shows_errors
    def on_remove(dataset_id: str) -> tuple[Any, ...]:
        gr.Success(opened_version.remove(ws, dataset_id), title="Removed")
        return "", gr.Column(visible=False)

    more.remove.click(lambda: gr.Row(visible=True), None, opened.sure, **markup.QUIET)
    more.remove_no.click(lambda: gr.Row(visible=False), None, opened.sure, **markup.QUIET)
    more.remove_yes.click(on_remove, opened.id, [opened.id, opened.detail], **markup.QUIET)
