"""The Jobs page: everything this project computes, the newest first, and one of them live."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from engine.core.job import Job
from engine.services.jobs import lifecycle, listing
from engine.workspace import Workspace
from ui.components import choice_cards, markup
from ui.components.markup import RAW
from ui.components.page import NavigationTarget, Page
from ui.pages.jobs import layout
from ui.pages.jobs.layout import JobsInputs, JobsParts
from ui.pages.jobs.refresh import JobsView, ListFilter, aims_at, next_step, own_test, poll
from ui.web.errors import shows_errors
from ui.web.session import who

Act = Callable[
    [JobsView], tuple[JobsView, str, str]
]  # to what is shown then, and a message and its title


def build(ws: Workspace, page: Page) -> None:
    """The tab: the list on one side, the chosen run on the other."""
    gr.HTML(
        markup.head(
            "Jobs", "All computation of this project. Jobs continue when you close this page."
        )
    )
    view = gr.State(JobsView())
    parts, inputs = layout.build(page)
    given = [page.project, view, inputs.text, parts.tag_filter, parts.compared]
    _wire_looks(ws, page, given, view, parts, inputs)
    _wire_buttons(ws, page, given, view, parts, inputs)
    _wire_edit(ws, given, view, parts, inputs)


def asked(text: Any, tags: Any, compared: Any) -> ListFilter:
    """What came from the browser, whatever it is, as what may be asked."""

    def several(values: Any) -> tuple[str, ...]:
        return tuple(map(str, values[:20])) if isinstance(values, list) else ()

    return ListFilter(str(text or "")[:200], several(tags), several(compared))


def stop(ws: Workspace, view: JobsView) -> Job:
    """Ask the shown run to stop."""
    return lifecycle.cancel(ws, who(ws), view.shown)


def again(ws: Workspace, project: str | None, view: JobsView) -> Job:
    """A new run with the settings of the shown one."""
    job = lifecycle.get(ws, who(ws), view.shown)
    return lifecycle.submit(
        ws, who(ws), project or job.project_id, lifecycle.recipe_of(job), job.name
    )


def save(ws: Workspace, view: JobsView, name: str, tags: str, note: str) -> Job:
    """The shown run with this name, these tags (a comma between them) and this note."""
    listing.tag(ws, who(ws), view.shown, tags.split(","))
    listing.annotate(ws, who(ws), view.shown, note)
    return listing.rename(ws, who(ws), view.shown, name)


def delete(ws: Workspace, view: JobsView) -> Job:
    """The shown run, which is gone now."""
    job = lifecycle.get(ws, who(ws), view.shown)
    listing.remove(ws, who(ws), job.id)
    return job


def _wire_looks(
    ws: Workspace,
    page: Page,
    given: list[Any],
    view: gr.State,
    parts: JobsParts,
    inputs: JobsInputs,
) -> None:
    @shows_errors
    def on_look(project: str | None, seen: JobsView, *typed: Any) -> Any:
        return poll(ws, project, seen, asked(*typed))

    @shows_errors
    def on_show(aim: NavigationTarget, project: str | None, seen: JobsView, *typed: Any) -> Any:
        fresh = replace(seen, marks={}, revision=None, picked=aim.run or seen.picked)
        return [
            NavigationTarget() if aim.run else gr.skip(),
            *poll(ws, project, fresh, asked(*typed)),
        ]

    @shows_errors
    def on_pick(
        project: str | None,
        seen: JobsView,
        text: Any,
        tags: Any,
        compared: Any,
        event: gr.EventData,
    ) -> Any:
        picked = replace(seen, picked=choice_cards.picked(event))
        return poll(ws, project, picked, asked(text, tags, compared))

    out = [view, *parts]
    aimed, shown = [page.target, *given], [page.target, *out]
    markup.on_show(page, on_show, aimed, shown, RAW)
    markup.live(page, on_look, given, out, how=RAW)
    parts.cards.click(on_pick, given, out, **RAW)
    # not `input`: Gradio takes that from key presses, and text is pasted too
    inputs.text.change(on_look, given, out, trigger_mode="always_last", **RAW)
    gr.on([parts.tag_filter.input, parts.compared.input], on_look, given, out, **RAW)


def _wire_buttons(
    ws: Workspace,
    page: Page,
    given: list[Any],
    view: gr.State,
    parts: JobsParts,
    inputs: JobsInputs,
) -> None:
    def stopped(seen: JobsView) -> tuple[JobsView, str, str]:
        return seen, f"{stop(ws, seen).name} stops after its current step.", "Stopping"

    def stopped_and_kept(seen: JobsView) -> tuple[JobsView, str, str]:
        job = lifecycle.stop_and_keep(ws, who(ws), seen.shown)
        return seen, f"{job.name} stops; its best state so far becomes a model.", "Stopping"

    def repeated(seen: JobsView) -> tuple[JobsView, str, str]:
        job = again(ws, None, seen)
        return replace(seen, picked=job.id), f"{job.name} is queued once more.", "Started"

    def resumed(seen: JobsView) -> tuple[JobsView, str, str]:
        job = lifecycle.resume(ws, who(ws), seen.shown)
        return replace(seen, picked=job.id), job.note, "Started"

    @shows_errors
    def on_next(project: str | None, seen: JobsView, *typed: Any) -> Any:
        job = lifecycle.get(ws, who(ws), seen.shown)
        test = own_test(job, lifecycle.list_all(ws, who(ws), job.project_id))
        aim, there = aims_at(job, test), next_step(job, test)[1]
        if there == "jobs":  # this page: it is selected already, so it looks at once
            picked = replace(seen, picked=aim.run)
            return [gr.skip(), gr.skip(), *poll(ws, project, picked, asked(*typed))]
        return [aim, gr.Tabs(selected=there), *(gr.skip() for _ in out)]

    out = [view, *parts]
    for button, act in (
        (inputs.stop_yes, stopped),
        (parts.keep, stopped_and_kept),
        (parts.again, repeated),
        (parts.resume, resumed),
    ):
        button.click(_acting(ws, act), given, out, **RAW)
    parts.next_step.click(on_next, given, [page.target, page.tabs, *out], **RAW)
    _asks_first(parts.stop, inputs.stop_no, parts.sure)


def _wire_edit(
    ws: Workspace, given: list[Any], view: gr.State, parts: JobsParts, inputs: JobsInputs
) -> None:
    @shows_errors
    def on_save(
        project: str | None, seen: JobsView, text: Any, tags: Any, compared: Any, *typed: Any
    ) -> Any:
        job = save(ws, seen, *(str(each or "") for each in typed))
        gr.Success(f"{job.name} is saved.", title="Saved")
        return poll(ws, project, seen, asked(text, tags, compared))

    def deleted(seen: JobsView) -> tuple[JobsView, str, str]:
        return replace(seen, picked=""), f"{delete(ws, seen).name} is deleted.", "Deleted"

    out = [view, *parts]
    inputs.save.click(on_save, [*given, parts.name, parts.tags, parts.note], out, **RAW)
    inputs.delete_yes.click(_acting(ws, deleted), given, out, **RAW)
    _asks_first(parts.delete, inputs.delete_no, parts.sure_delete)


def _acting(ws: Workspace, act: Act) -> Callable[..., Any]:
    """The handler of a button that does something with the shown run and then looks again."""

    @shows_errors
    def on_act(project: str | None, seen: JobsView, *typed: Any) -> Any:
        seen, message, title = act(seen)
        gr.Info(message, title=title)
        return poll(ws, project, seen, asked(*typed))

    return on_act


def _asks_first(button: gr.Button, no: gr.Button, row: gr.Row) -> None:
    button.click(lambda: gr.Row(visible=True), None, row, **markup.QUIET)
    no.click(lambda: gr.Row(visible=False), None, row, **markup.QUIET)
