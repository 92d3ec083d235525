"""What becomes of a question of the playground: saved, rated, or part of a test."""

from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.job import Job
from engine.core.shortened import shortened
from engine.services import playground
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import markup
from ui.components.markup import EventOptions
from ui.components.page import Page
from ui.web.errors import shows_errors
from ui.web.session import who

SHOWN = 90  # characters of a saved question, in the list
NONE_YET = "Nothing is shown yet."


class SavedQuestionsPanel(NamedTuple):
    """The components of the panel."""

    box: gr.Accordion
    save: gr.Button
    rate: gr.Button
    right: gr.Textbox
    which: gr.Dropdown
    add: gr.Button
    message: gr.HTML
    to_rate: gr.Button


def build() -> SavedQuestionsPanel:
    """The panel, shut and hidden until there is an answer to read."""
    with gr.Accordion("Use this question", open=False, visible=False, elem_id="play-keep") as box:
        gr.HTML(markup.part("Ask it again, or have its answers rated",
                         "Saved questions are a dataset. In a rating round the first two models "
                         "answer all of them, and people say which answer is better."))  # fmt: skip
        with gr.Row(elem_classes="tl-actions"):
            save = gr.Button("Save the question", elem_id="play-save")
            rate = gr.Button("Send to the rating queue", elem_id="play-rate")
        gr.HTML(markup.part("Add it to a test set",
                         "Evaluations then ask it and compare answers with yours."))  # fmt: skip
        with gr.Row():
            right = gr.Textbox(label="Right answer", lines=2, scale=3, elem_id="play-right")
            which = gr.Dropdown([playground.TEST], value=playground.TEST, label="Test set",
                                allow_custom_value=True, info="Choose one, or type a new name",
                                elem_id="play-set")  # fmt: skip
        with gr.Row(elem_classes="tl-actions"):
            add = gr.Button("Add to the test set", elem_id="play-add")
        message = gr.HTML("", elem_id="play-kept")
        to_rate = gr.Button("Open the round", visible=False, size="sm", elem_id="play-to-rate")
    return SavedQuestionsPanel(box, save, rate, right, which, add, message, to_rate)


def labels(ws: Workspace, project: str | None) -> list[tuple[str, str]]:
    """Every saved question as a choice, the newest first; its value is its place."""
    questions = playground.saved(ws, who(ws), project) if project else []
    texts = [" ".join(one.prompt[-1].content.split()) for one in questions]
    short = [shortened(text, SHOWN) for text in texts]
    return list(reversed([(text, str(n)) for n, text in enumerate(short)]))


def filled(ws: Workspace, project: str | None, which: str | None) -> tuple[Any, Any]:
    """The saved question and its system prompt, to ask them again."""
    questions = playground.saved(ws, who(ws), project) if project else []
    place = int(which) if which and which.isdecimal() and len(which) < 10 else len(questions)
    if place >= len(questions):
        return gr.skip(), gr.skip()
    turns = {turn.role: turn.content for turn in questions[place].prompt}
    return turns.get("user", ""), turns.get("system", "")


def save(ws: Workspace, project: str | None, job_id: str) -> str:
    """What was saved, as HTML."""
    job = _job(ws, project, job_id)
    recipe = job.recipe
    kept = playground.save(ws, who(ws), job.project_id, recipe["prompt"], recipe["system"])
    return markup.notice(f"Saved: {kept.label} holds {_questions(kept.rows)}.", "good")


def rate(ws: Workspace, project: str | None, job_id: str) -> str:
    """The round that was planned over the saved questions, this one among them, as HTML."""
    job = _job(ws, project, job_id)
    models, recipe = job.recipe["models"], job.recipe
    saved = playground.saved(ws, who(ws), job.project_id)
    if not any(one.prompt[-1].content == recipe["prompt"] for one in saved):
        playground.save(ws, who(ws), job.project_id, recipe["prompt"], recipe["system"])
    one = playground.rate(
        ws, who(ws), job.project_id, models[1] if len(models) > 1 else models[0], models[0],
        max_new_tokens=recipe["max_new_tokens"],
    )  # fmt: skip
    count = _questions(one.plan.prompts)
    return markup.notice(f"{one.name}: {count} wait for their answers, then for raters.", "good")


def add(ws: Workspace, project: str | None, job_id: str, right: str, which: str) -> str:
    """The test set that holds the question now, as HTML."""
    job = _job(ws, project, job_id)
    made = playground.add_to_test(
        ws, who(ws), job.project_id, job.recipe["prompt"], right or "", job.recipe["system"],
        which or playground.TEST,
    )  # fmt: skip
    held = f"{made.label} holds {_questions(made.held_out_rows)} to test with"
    return markup.notice(f"Added: {held}. Choose it on the Evaluation page.", "good")


def wire(
    ws: Workspace,
    page: Page,
    talk: gr.State,
    panel: SavedQuestionsPanel,
    again: gr.Dropdown,
    raw: EventOptions,
) -> None:
    """Let the buttons do what they say; `again` is the list of saved questions."""

    def renewed(project: str | None) -> gr.Dropdown:
        found = labels(ws, project)
        return gr.Dropdown(choices=found, value=None, visible=bool(found))

    @shows_errors
    def on_save(project: str | None, seen: Any) -> Any:
        return save(ws, project, seen.job), renewed(project), gr.Button(visible=False)

    @shows_errors
    def on_rate(project: str | None, seen: Any) -> Any:
        return rate(ws, project, seen.job), renewed(project), gr.Button(visible=True)

    @shows_errors
    def on_add(project: str | None, seen: Any, right: str, which: str) -> Any:
        sentence = add(ws, project, seen.job, right, which)
        sets = playground.test_sets(ws, who(ws), project or "")
        return sentence, "", gr.Dropdown(choices=sets, value=which), gr.Button(visible=False)

    given, out = [page.project, talk], [panel.message, again, panel.to_rate]
    panel.save.click(on_save, given, out, **raw)
    panel.rate.click(on_rate, given, out, **raw)
    added = [panel.message, panel.right, panel.which, panel.to_rate]
    panel.add.click(on_add, [*given, panel.right, panel.which], added, **raw)
    markup.goto(panel.to_rate, page, "rating")


def _questions(count: int) -> str:
    return f"{count:,} question" + ("s" if count != 1 else "")


def _job(ws: Workspace, project: str | None, job_id: str) -> Job:
    if not (project and job_id):
        raise UserError(NONE_YET, "Ask something first.")
    return lifecycle.get(ws, who(ws), job_id)
