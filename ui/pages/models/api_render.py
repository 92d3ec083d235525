"""How the panel of the API looks: its state, the examples, and the keys."""

import json
import shlex
from html import escape

from engine.services.models.api_process import ApiProcess
from engine.services.people.api_keys import ApiKey
from ui.components import markup
from ui.components.markup import Tone

INTRO = (
    "A program written for OpenAI's client asks these models, and starts trainings, with another "
    "address. The API is a process of its own, which loads a model at the first request for it. "
    '<a href="guide/api" target="_blank">The API</a> in the guide.'
)
QUESTION = "Where is my parcel?"
CODE = """from openai import OpenAI

client = OpenAI(base_url={address}, api_key="YOUR KEY", project={project})
answer = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": "{question}"}}],
)
print(answer.choices[0].message.content)
"""
STATES: dict[str, tuple[str, Tone]] = {
    "off": ("off", "neutral"),
    "starting": ("starting", "busy"),
    "on": ("serving", "good"),
    "failed": ("ended by itself", "bad"),
}
OFF = "Nothing is served."
STARTING = "The API is starting."
FAILED = "The API was started and has ended. The last lines of its log:"
NOT_YOURS = "An owner of this server can start it."
LOOPBACK = (
    "Only programs on the computer that runs Tuneloop reach this address. TUNELOOP_API_HOST sets "
    "another one."
)
TERMINAL = "It was started in a terminal (tuneloop api), and goes on when this server ends."
KEY = "Each request needs a key of this project."
NO_KEY = "Nobody has an account here, so programs on this computer need no key."


def process(found: ApiProcess, may_start: bool) -> str:
    """Whether it runs, where, and who reaches it."""
    text, tone = STATES[found.state]
    lines = {"off": OFF, "starting": STARTING, "on": "", "failed": FAILED}[found.state]
    if found.state in ("off", "failed") and not may_start:
        lines = f"{lines} {NOT_YOURS}"
    shown = f'<p class="tl-hint">{escape(lines)}</p>' if lines else ""
    if found.state == "on":
        reach = [TERMINAL] if found.started_by == "terminal" else []
        reach += [LOOPBACK] if found.loopback else []
        reach.append(KEY if found.needs_key else NO_KEY)
        link = ' <a href="#api-name">Make a key</a>'
        shown = f'<p class="tl-hint">{escape(" ".join(reach))}{link}</p>'
    if found.log:
        shown += f'<pre class="tl-log">{escape(found.log)}</pre>'
    address = f"<p><code>{escape(found.address)}</code></p>" if found.state == "on" else ""
    return (
        '<div class="tl-card"><div class="tl-card-head"><b>API</b>'
        f"{markup.badge(text, tone)}</div>{address}{shown}</div>"
    )


def python(address: str, project: str, model: str) -> str:
    """The lines of a program that asks the model."""
    return CODE.format(
        address=json.dumps(address),
        project=json.dumps(project),
        model=json.dumps(model, ensure_ascii=False),
        question=QUESTION,
    )


def curl(address: str, project: str, model: str) -> str:
    """The same as a command of a shell."""
    asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    body = shlex.quote(json.dumps(asked, ensure_ascii=False))
    return (
        f"curl {shlex.quote(f'{address}/chat/completions')} \\\n"
        '  -H "Authorization: Bearer YOUR KEY" \\\n'
        f"  -H {shlex.quote(f'OpenAI-Project: {project}')} \\\n"
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {body}\n"
    )


def keys(found: list[ApiKey]) -> str:
    """A card for each key."""
    if not found:
        return '<p class="tl-hint">No key yet.</p>'
    cards = "".join(
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(one.name)}</b>'
        f"{markup.badge(one.status, 'good' if one.status == 'open' else 'neutral')}</div>"
        f'<p class="tl-hint">{"Keeps" if one.captures else "Does not keep"} prompts and answers; '
        f"{one.requests_per_minute:,} requests a minute</p>"
        f'<div class="tl-card-foot"><span>{escape(one.created_by)}, '
        f"{markup.when(one.created_at)}</span>"
        f"<span>{_used(one)}</span></div></div>"
        for one in found
    )
    return f'<div class="tl-cards">{cards}</div>'


def _used(one: ApiKey) -> str:
    return f"last used {markup.when(one.used_at)}" if one.used_at else "not used yet"
