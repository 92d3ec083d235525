"""The files of an evaluation: links on the page, and the route that writes one for who may see it.

Nothing is kept on the disk for a browser: each request asks the services with the person of that
moment, so that what an owner takes away is away at the next download.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Literal, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from engine.core.actor import Actor
from engine.core.errors import UserError
from engine.services import model_card
from engine.services.evaluation import answers, evaluations, report
from engine.workspace import Workspace
from ui.components import attachments, names
from ui.web.session import requester

Kind = Literal["report", "csv", "jsonl", "card"]


class Download(NamedTuple):
    """A file to take along: the words on its link, its name, its type, and who writes it."""

    label: str
    name: str
    media_type: str
    write: Callable[[Workspace, Actor, str], str]


def _named(ws: Workspace, actor: Actor, evaluation_id: str) -> dict[str, str]:
    ref = evaluations.ref(ws, actor, evaluation_id)
    called = names.of_models(ws, ref.project_id, actor)
    return {model: called.get(model, names.GONE) for model in ref.models}


def _csv(ws: Workspace, actor: Actor, evaluation_id: str) -> str:
    called = _named(ws, actor, evaluation_id)
    return answers.as_csv(evaluations.get(ws, actor, evaluation_id), called)


def _jsonl(ws: Workspace, actor: Actor, evaluation_id: str) -> str:
    called = _named(ws, actor, evaluation_id)
    return answers.as_jsonl(evaluations.get(ws, actor, evaluation_id), called)


def _card(ws: Workspace, actor: Actor, evaluation_id: str) -> str:
    newest = evaluations.ref(ws, actor, evaluation_id).models[-1]
    return model_card.model_card(ws, actor, newest)


DOWNLOADS: dict[Kind, Download] = {
    "report": Download("Report (HTML)", "report.html", "text/html", report.html),
    "csv": Download("Answers (CSV)", "answers.csv", "text/csv", _csv),
    "jsonl": Download("Answers (JSONL)", "answers.jsonl", "application/jsonl", _jsonl),
    "card": Download("Model card (Markdown)", "model-card.md", "text/markdown", _card),
}


def router(ws: Workspace) -> APIRouter:
    """GET /downloads/evaluations/ID/KIND: one file, as an attachment that no cache keeps."""
    found = APIRouter(prefix="/downloads")

    @found.get("/evaluations/{evaluation_id}/{kind}")
    def evaluation(request: Request, evaluation_id: str, kind: Kind) -> Response:
        asked = DOWNLOADS[kind]
        try:
            text = asked.write(ws, requester(ws, request), evaluation_id)
        except UserError as error:
            return attachments.refused(request, error, guide="/guide/evaluation")
        headers = attachments.headers(asked.name)
        return Response(text, media_type=asked.media_type, headers=headers)

    return found


def links(evaluation_id: str, called: Mapping[str, str]) -> str:
    """A link to each file, relative to the address of the page.

    Marked as downloads: any other link makes Gradio's page end its stream, as if it were left.
    Without the card where the newest model has been deleted: what it answered has not.
    """
    place = f"downloads/evaluations/{quote(evaluation_id, safe='')}"
    newest = list(called.values())[-1]
    made = "".join(
        f'<a class="tl-download" id="evaluate-{kind}" href="{escape(place)}/{kind}" download>'
        f"{escape(one.label)}</a>"
        for kind, one in DOWNLOADS.items()
        if kind != "card" or newest != names.GONE
    )
    return f'<nav class="tl-downloads" aria-label="Files">{made}</nav>'
