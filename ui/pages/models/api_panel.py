"""Use models from a program: start the API, how to ask it in OpenAI's protocol, and its keys."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from engine.services import projects
from engine.services.loop import champion
from engine.services.models import api_process, registry
from engine.services.people import api_keys
from engine.workspace import Workspace
from ui.components import markup, names, refresh
from ui.components.page import Page, opened
from ui.components.refresh import Drawn, Refresher
from ui.pages.models import api_render
from ui.web.errors import shows_errors
from ui.web.session import who

LOOK_EVERY_S = 5.0
SERVE, STOP = "Serve", "Stop serving"


class ApiParts(NamedTuple):
    """What a look at the API may change."""

    process: gr.HTML
    serve: gr.Button
    stop: gr.Button
    model: gr.Dropdown
    code: gr.Code
    curl: gr.Code
    keys: gr.HTML
    closing: gr.Row
    chosen: gr.Dropdown


REFRESHER = Refresher[Drawn](
    ApiParts._fields,
    {
        "serve": refresh.shown(gr.Button),
        "stop": refresh.shown(gr.Button),
        "model": lambda shown: gr.Dropdown(shown[0], value=shown[1]),
        "closing": refresh.shown(gr.Row),
        "chosen": lambda keys: gr.Dropdown(keys, value=keys[0][1] if keys else None),
    },
)


def build(ws: Workspace, page: Page) -> None:
    """The panel."""
    view = gr.State(Drawn())
    with gr.Accordion("Serve models to programs (API)", open=False, elem_id="models-api"):
        gr.HTML(f'<p class="tl-hint">{api_render.INTRO}</p>')
        process = gr.HTML("", elem_id="api-process")
        with gr.Row(elem_classes="tl-actions"):
            serve = gr.Button(SERVE, variant="primary", visible=False, elem_id="api-serve")
            stop = gr.Button(STOP, visible=False, elem_id="api-stop")
        model = gr.Dropdown([], label="Model that the example asks", elem_id="api-model")
        code = gr.Code("", language="python", label="Python", interactive=False, elem_id="api-code")
        curl = gr.Code("", language="shell", label="curl", interactive=False, elem_id="api-curl")
        keys = gr.HTML("", elem_id="api-keys")
        with gr.Row():
            name = gr.Textbox(label="Name of a new key", info="Such as the program that uses it",
                              elem_id="api-name")  # fmt: skip
            keeps = gr.Checkbox(label="Keep prompts and answers",
                                info="For feedback and rating; nothing is kept otherwise",
                                elem_id="api-keeps")  # fmt: skip
            add = gr.Button("Make a key", elem_id="api-add")
        made = gr.Textbox(label="The new key: copy it now, it is shown this once", visible=False,
                          interactive=False, buttons=["copy"], elem_id="api-made")  # fmt: skip
        with gr.Row(visible=False) as closing:
            chosen = gr.Dropdown([], label="Open key", elem_id="api-chosen")
            close = gr.Button("Close this key", elem_id="api-close")
    parts = ApiParts(process, serve, stop, model, code, curl, keys, closing, chosen)
    _wire_process(ws, page, parts, view)
    _wire_keys(ws, page, (name, keeps, add, made, close), parts, view)


def _wire_process(ws: Workspace, page: Page, parts: ApiParts, view: gr.State) -> None:
    """Start it, stop it, and show how it stands and how to ask it."""

    @shows_errors
    def on_look(project: str | None, view: Drawn, asked: str | None) -> list[Any]:
        return draw(ws, project, view, asked)

    @shows_errors
    def on_serve() -> None:
        process = api_process.start(ws, who(ws))
        gr.Success(f"The API answers at {process.address}.", title="Serving")

    @shows_errors
    def on_stop() -> None:
        api_process.stop(ws, who(ws))
        gr.Success("The API has stopped.", title="Stopped")

    inputs, outputs = [page.project, view, parts.model], [view, *parts]
    for button, handler, meanwhile, usually in (
        (parts.serve, on_serve, "Starting...", SERVE),
        (parts.stop, on_stop, "Stopping...", STOP),
    ):
        pressed = button.click(_label(meanwhile, False), None, button, **markup.QUIET)
        over = pressed.then(handler, None, None, **markup.QUIET)  # what follows, follows a refusal
        ready = over.then(_label(usually, True), None, button, **markup.QUIET)
        ready.then(on_look, inputs, outputs, **markup.RAW)
    parts.model.input(on_look, inputs, outputs, **markup.RAW)
    markup.on_show(page, on_look, inputs, outputs)
    markup.live(page, on_look, inputs, outputs, every=LOOK_EVERY_S, how=markup.RAW)


def _wire_keys(
    ws: Workspace,
    page: Page,
    form: tuple[gr.Textbox, gr.Checkbox, gr.Button, gr.Textbox, gr.Button],
    parts: ApiParts,
    view: gr.State,
) -> None:
    name, keeps, add, made, close = form

    @shows_errors
    def on_add(
        project: str | None, view: Drawn, asked: str | None, called: str, captures: bool
    ) -> list[Any]:
        _, token = api_keys.make(ws, who(ws), opened(project), called, captures=captures)
        return ["", gr.Textbox(token, visible=True), *draw(ws, project, view, asked)]

    @shows_errors
    def on_close(
        project: str | None, view: Drawn, asked: str | None, key_id: str | None
    ) -> list[Any]:
        closed = api_keys.close(ws, who(ws), key_id or "")
        gr.Success(f"{closed.name} opens nothing any more.", title="Closed")
        return [gr.Textbox("", visible=False), *draw(ws, project, view, asked)]

    inputs, outputs = [page.project, view, parts.model], [view, *parts]
    add.click(on_add, [*inputs, name, keeps], [name, made, *outputs], **markup.RAW)
    close.click(on_close, [*inputs, parts.chosen], [made, *outputs], **markup.RAW)


def draw(ws: Workspace, project: str | None, view: Drawn, asked: str | None = None) -> list[Any]:
    """The process, the examples for the model that `asked` names, and the keys of the project."""
    found, may = api_process.look(ws, who(ws)), api_process.may_start(who(ws))
    keys = api_keys.list_all(ws, who(ws), project) if project else []
    choices = _choices(ws, project)
    model = asked if asked in [value for _, value in choices] else _first(choices)
    header = _project_header(ws, project)
    running = found.state in ("starting", "on")
    return REFRESHER.changed(
        view,
        {
            "process": api_render.process(found, may),
            "serve": may and not running,
            "stop": may and running,
            "model": (choices, model if choices else None),
            "code": api_render.python(found.address, header, model),
            "curl": api_render.curl(found.address, header, model),
            "keys": api_render.keys(keys),
            "closing": any(one.status == "open" for one in keys),
            "chosen": [(one.name, one.id) for one in keys if one.status == "open"],
        },
    )


def _label(text: str, ready: bool) -> Callable[[], gr.Button]:
    return lambda: gr.Button(text, interactive=ready)


def _choices(ws: Workspace, project: str | None) -> list[tuple[str, str]]:
    """Label and name in a request: the champion, trained models from the newest, then bases."""
    known = [one for one in registry.list_all(ws, who(ws), project) if one.kind != "reward"]
    called = names.of_models(ws, project)
    order = sorted(known, key=lambda one: (one.kind == "base", -one.created_at))
    models = [(called[one.id], registry.request_name(one, known)) for one in order]
    if not project or champion.current(ws, who(ws), project) is None:
        return models
    name = f"champion@{projects.get(ws, who(ws), project).name}"
    return [("The champion, whichever it is", name), *models]


def _first(choices: list[tuple[str, str]]) -> str:
    return choices[0][1] if choices else "NAME"


def _project_header(ws: Workspace, project: str | None) -> str:
    """How a request names the project: a header takes no other than plain letters."""
    if not project:
        return "PROJECT"
    name = projects.get(ws, who(ws), project).name
    return name if name.isascii() and name.isprintable() and '"' not in name else project
