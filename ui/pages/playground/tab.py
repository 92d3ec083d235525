"""The Playground page: one question, and the answers of several models as they are written."""

from typing import Any, NamedTuple, TypedDict

import gradio as gr

from engine.core import recipe as recipes
from engine.core.errors import NotFound, UserError
from engine.core.job import Job
from engine.services import playground as services_playground
from engine.services import registered_plugins
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import choice_cards, markup, names, refresh
from ui.components.markup import RAW
from ui.components.page import Page
from ui.components.refresh import Refresher
from ui.pages.playground import render, saved_questions
from ui.pages.playground.render import Talk
from ui.web.errors import shows_errors
from ui.web.session import who

MOST_MODELS = 4
POLL_EVERY_S = 0.5
NAME_LENGTH = 60  # of a question, as the name of its run
HINT = (
    "The first question takes a few seconds while the models load; further questions within four "
    "minutes are answered at once. "
    "<kbd>Ctrl</kbd> or <kbd>⌘</kbd> with <kbd>Enter</kbd> asks."
)
NOTHING = "Ask something above. With two models you see at once what the training changed."
NO_MODEL = "The model is still being fetched. You can ask it as soon as it is here."
BEFORE = '<div class="tl-part"><h3>Earlier questions</h3><p>Choose one to read it again.</p></div>'
# Gradio has no keys of its own for a text box of several lines.
KEYS = """
const ask = (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  if (!event.target.closest('#play-prompt, #play-system')) return;
  event.preventDefault();
  event.target.dispatchEvent(new Event('input', {bubbles: true}));
  setTimeout(() => document.querySelector('#play-ask')?.click(), 30);
};
document.addEventListener('keydown', ask);
"""


class Form(NamedTuple):
    """What is asked, in the order that `ask` takes it."""

    prompt: gr.Textbox
    models: gr.Dropdown
    temperature: gr.Slider
    longest: gr.Slider
    seed: gr.Number
    system: gr.Textbox


class Parts(NamedTuple):
    """What a look may change."""

    answers: gr.HTML
    history: gr.HTML
    earlier: gr.Column
    go: gr.Button
    stop: gr.Button
    timer: gr.Timer
    box: gr.Accordion


REFRESHER = Refresher[Talk](
    Parts._fields,
    {
        "earlier": refresh.shown(gr.Column),
        "go": lambda live: gr.Button("Answering …" if live else "Ask", interactive=not live),
        "stop": refresh.shown(gr.Button),
        "timer": lambda live: gr.Timer(active=live),
        "box": refresh.shown(gr.Accordion),
    },
)


def build(ws: Workspace, page: Page) -> None:
    """The tab: a question, its answers, and the questions before."""
    gr.HTML(markup.head("Playground", "Ask anything and read what each model answers."))
    talk = gr.State(Talk())
    again = gr.Dropdown([], value=None, label="Saved questions", visible=False,
                        elem_id="play-again")  # fmt: skip
    form = _form()
    with gr.Row(elem_classes="tl-actions"):
        go = gr.Button("Ask", variant="primary", elem_id="play-ask")
        stop = gr.Button("Stop", visible=False, elem_id="play-stop")
    gr.HTML(f'<p class="tl-hint tl-keys">{HINT}</p>', js_on_load=KEYS)
    answers = gr.HTML("", elem_id="play-answers")
    panel = saved_questions.build()
    with gr.Column(visible=False) as earlier:
        gr.HTML(BEFORE)
        history = choice_cards.component("play-history")
    timer = gr.Timer(POLL_EVERY_S, active=False)
    _wire(ws, page, talk, form, Parts(answers, history, earlier, go, stop, timer, panel.box))
    saved_questions.wire(ws, page, talk, panel, again, RAW)
    _wire_saved(ws, page, form, again, panel)


def ask(
    ws: Workspace,
    project: str | None,
    prompt: str,
    models: list[str],
    temperature: float,
    longest: float,
    seed: float,
    system: str,
) -> Job:
    """The question, queued; UserError says what is missing."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    if not (prompt or "").strip():
        raise UserError("There is no question.", "Type one.")
    if not models:
        raise UserError("No model is chosen.", "Choose one to four.")
    values = {
        "models": models,
        "prompt": prompt.strip(),
        "system": (system or "").strip(),
        "temperature": temperature,
        "max_new_tokens": int(longest),
        "seed": int(seed or 0),
    }
    recipe = recipes.read(registered_plugins.recipe_of("play"), values)
    return lifecycle.submit(ws, who(ws), project, recipe, " ".join(prompt.split())[:NAME_LENGTH])


def asked(ws: Workspace, project: str | None) -> list[Job]:
    """The questions of this project, newest first."""
    return lifecycle.list_all(ws, who(ws), project, ("play",)) if project else []


def shown_question(ws: Workspace, project: str | None, talk: Talk) -> tuple[Talk, Job | None]:
    """The shown question and what its models wrote so far; the newest one where none is shown."""
    found = asked(ws, project)
    job = next((each for each in found if each.id == talk.job), None) or next(iter(found), None)
    if job is None:
        return Talk(), None
    known = talk if talk.job == job.id else Talk(job=job.id)
    return render.follow(ws, known, job), job


class PlaygroundValues(TypedDict, total=False):
    """The value of each part of the tab."""

    go: bool
    stop: bool
    timer: bool
    answers: str
    history: str
    earlier: bool
    box: bool


def whole(ws: Workspace, project: str | None, talk: Talk) -> list[Any]:
    """The view and an update for every part of the tab, for the shown question."""
    talk, job = shown_question(ws, project, talk)
    live = job is not None and not job.over
    values: PlaygroundValues = {"go": live, "stop": live, "timer": live}
    if job is None:
        ready = names.choices(ws, project)
        empty = markup.empty("Nothing asked yet", NOTHING if ready else NO_MODEL)
        values |= {"answers": empty, "history": "", "earlier": False, "box": False}
        return REFRESHER.changed(talk, values)
    called, found = names.of_models(ws, project), asked(ws, project)
    values |= {
        "answers": render.answers(job, talk, called, lifecycle.worker_alive(ws, who(ws))),
        "history": render.history(found, job.id, called),
        "earlier": len(found) > 1,
        "box": True,
    }
    return REFRESHER.changed(talk, values)


def tick(ws: Workspace, project: str | None, talk: Talk) -> list[Any]:
    """What is new half a second later; all of the tab once the answers are whole."""
    job = _shown(ws, project, talk)
    if job is None or job.over:
        return whole(ws, project, talk)
    new = render.follow(ws, talk, job)
    if new.seq == talk.seq and talk.seq:
        return REFRESHER.unchanged()
    called = names.of_models(ws, project)
    html = render.answers(job, new, called, lifecycle.worker_alive(ws, who(ws)))
    return REFRESHER.changed(new, {"answers": html})


def _shown(ws: Workspace, project: str | None, talk: Talk) -> Job | None:
    """The job of the shown question; None where it has gone or is of another project."""
    if not talk.job:
        return None
    try:
        job = lifecycle.get(ws, who(ws), talk.job)
    except NotFound:
        return None
    return job if job.project_id == project else None


def choices(ws: Workspace, project: str | None, models: list[str]) -> gr.Dropdown:
    """The models to ask, what was chosen kept; the base and the newest adapter at first."""
    offered = names.choices(ws, project)
    ids = {each for _, each in offered}
    kept = [each for each in models if each in ids] or names.first_two(ws, project)
    return gr.Dropdown(choices=offered, value=kept, multiselect=True)


def _form() -> Form:
    usual = registered_plugins.recipe_fields("play")
    prompt = gr.Textbox(label="Question", lines=3, max_lines=12, elem_id="play-prompt",
                        placeholder="How do I renew a book?")  # fmt: skip
    models = gr.Dropdown([], value=[], multiselect=True, max_choices=MOST_MODELS, label="Models",
                         info="Up to four models, side by side",
                         elem_id="play-models")  # fmt: skip
    with gr.Accordion("Answer settings", open=False, elem_id="play-how"):
        with gr.Row():
            temperature = gr.Slider(0, 2, usual["temperature"].default, step=0.1,
                                    label="Temperature", elem_id="play-temperature",
                                    info="0 always takes the likeliest token; higher varies "
                                    "more")  # fmt: skip
            longest = gr.Slider(16, 512, usual["max_new_tokens"].default, step=16,
                                label="Longest answer", info="In tokens, about ¾ of a word each",
                                elem_id="play-longest")  # fmt: skip
            seed = gr.Number(usual["seed"].default, minimum=0, precision=0, label="Seed",
                             info="The same seed gives the same answer",
                             elem_id="play-seed")  # fmt: skip
        system = gr.Textbox(label="System prompt", lines=2, elem_id="play-system",
                            info="How to behave; leave it empty if unsure")  # fmt: skip
    return Form(prompt, models, temperature, longest, seed, system)


def _wire(ws: Workspace, page: Page, talk: gr.State, form: Form, parts: Parts) -> None:
    @shows_errors
    def on_show(project: str | None, seen: Talk, models: list[str]) -> Any:
        seen, *parts = whole(ws, project, Talk(job=seen.job))
        return [seen, choices(ws, project, models or []), *parts]

    @shows_errors
    def on_ask(project: str | None, *values: Any) -> Any:
        job = ask(ws, project, *values)
        return whole(ws, project, Talk(job=job.id))

    @shows_errors
    def on_tick(project: str | None, seen: Talk) -> Any:
        return tick(ws, project, seen)

    @shows_errors
    def on_pick(project: str | None, event: gr.EventData) -> Any:
        return whole(ws, project, Talk(job=choice_cards.picked(event)))

    @shows_errors
    def on_stop(seen: Talk) -> None:
        lifecycle.cancel(ws, who(ws), seen.job)
        gr.Info("It stops after the word it is writing.", title="Stopping")

    out = [talk, *parts]
    markup.on_show(page, on_show, [page.project, talk, form.models], [talk, form.models, *parts])
    parts.go.click(on_ask, [page.project, *form], out, **RAW)
    parts.timer.tick(on_tick, [page.project, talk], out, **markup.QUIET)
    parts.history.click(on_pick, page.project, out, **markup.QUIET)
    parts.stop.click(on_stop, talk, None, **markup.QUIET)


def _wire_saved(
    ws: Workspace,
    page: Page,
    form: Form,
    again: gr.Dropdown,
    panel: saved_questions.SavedQuestionsPanel,
) -> None:
    @shows_errors
    def on_show(project: str | None) -> Any:
        found = saved_questions.labels(ws, project)
        sets = (
            services_playground.test_sets(ws, who(ws), project)
            if project
            else [services_playground.TEST]
        )
        listed = gr.Dropdown(choices=found, value=None, visible=bool(found))
        return listed, gr.Dropdown(choices=sets, value=sets[0])

    @shows_errors
    def on_again(project: str | None, which: str | None) -> Any:
        return saved_questions.filled(ws, project, which)

    markup.on_show(page, on_show, page.project, [again, panel.which])
    again.input(on_again, [page.project, again], [form.prompt, form.system], **RAW)
