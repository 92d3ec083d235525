"""Use models from a program: how to ask them in OpenAI's protocol, and the keys for it."""

from html import escape
from typing import Any

import gradio as gr

from engine.services import projects
from engine.services.people import api_keys
from engine.services.people.api_keys import ApiKey
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import Page, opened
from ui.web.errors import shows_errors
from ui.web.session import who

INTRO = (
    "A program written for OpenAI's client asks these models, and starts trainings, with another "
    "address. Whoever runs this server starts the API with <code>tuneloop api</code>; each request "
    'needs a key of this project. <a href="guide/api" target="_blank">The API</a> in the guide.'
)
CODE = """from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:7870/v1", api_key="YOUR KEY")
answer = client.chat.completions.create(
    model="champion@{project}",  # or the name of a model on this page
    messages=[{{"role": "user", "content": "Where is my parcel?"}}],
)
print(answer.choices[0].message.content)
"""


def build(ws: Workspace, page: Page) -> None:
    """The panel."""
    with gr.Accordion("Use from a program (API)", open=False, elem_id="models-api"):
        gr.HTML(f'<p class="tl-hint">{INTRO}</p>')
        code = gr.Code("", language="python", label="Python", interactive=False, elem_id="api-code")
        listed = gr.HTML("", elem_id="api-keys")
        with gr.Row():
            name = gr.Textbox(label="Name of a new key", info="Such as the program that uses it",
                              elem_id="api-name")  # fmt: skip
            keeps = gr.Checkbox(label="Keep prompts and answers",
                                info="For feedback and rating; nothing is kept otherwise",
                                elem_id="api-keeps")  # fmt: skip
            add = gr.Button("Make a key", variant="primary", elem_id="api-add")
        made = gr.Textbox(label="The new key: copy it now, it is shown this once", visible=False,
                          interactive=False, buttons=["copy"], elem_id="api-made")  # fmt: skip
        with gr.Row(visible=False) as closing:
            chosen = gr.Dropdown([], label="Open key", elem_id="api-chosen")
            close = gr.Button("Close this key", elem_id="api-close")

    @shows_errors
    def on_show(project: str | None) -> list[Any]:
        return draw(ws, project)

    @shows_errors
    def on_add(project: str | None, called: str, captures: bool) -> list[Any]:
        _, token = api_keys.make(ws, who(ws), opened(project), called, captures=captures)
        return ["", gr.Textbox(token, visible=True), *draw(ws, project)]

    @shows_errors
    def on_close(project: str | None, key_id: str | None) -> list[Any]:
        closed = api_keys.close(ws, who(ws), key_id or "")
        gr.Success(f"{closed.name} opens nothing any more.", title="Closed")
        return [gr.Textbox("", visible=False), *draw(ws, project)]

    shown = [code, listed, closing, chosen]
    add.click(on_add, [page.project, name, keeps], [name, made, *shown], **markup.QUIET)
    close.click(on_close, [page.project, chosen], [made, *shown], **markup.QUIET)
    markup.on_show(page, on_show, [page.project], shown)


def draw(ws: Workspace, project: str | None) -> list[Any]:
    """The example, the keys of the project, and the choice of those that can be closed."""
    keys = api_keys.list_all(ws, who(ws), project) if project else []
    name = projects.get(ws, who(ws), project).name if project else "PROJECT"
    still_open = [(one.name, one.id) for one in keys if one.status == "open"]
    return [
        CODE.format(project=name.replace('"', "'")),
        _table(keys),
        gr.Row(visible=bool(still_open)),
        gr.Dropdown(still_open, value=still_open[0][1] if still_open else None),
    ]


def _table(keys: list[ApiKey]) -> str:
    if not keys:
        return '<p class="tl-hint">No key yet.</p>'
    cards = "".join(
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(one.name)}</b>'
        f"{markup.badge(one.status, 'good' if one.status == 'open' else 'neutral')}</div>"
        f'<p class="tl-hint">{"Keeps" if one.captures else "Does not keep"} prompts and answers; '
        f"{one.requests_per_minute:,} requests a minute</p>"
        f'<div class="tl-card-foot"><span>{escape(one.created_by)}, '
        f"{markup.when(one.created_at)}</span>"
        f"<span>{_used(one)}</span></div></div>"
        for one in keys
    )
    return f'<div class="tl-cards">{cards}</div>'


def _used(one: ApiKey) -> str:
    return f"last used {markup.when(one.used_at)}" if one.used_at else "not used yet"
