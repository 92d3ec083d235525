"""A finished training to take elsewhere: the links of its page, and the route that packs it."""

from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from engine.core.errors import UserError
from engine.core.job import Job
from engine.services.training import run_files
from engine.workspace import Workspace
from ui.components import attachments
from ui.web.session import requester

INTRO = (
    "The first folder trains the same model again without Tuneloop and compares its losses with "
    "these. The others hold the settings and the rows as other programs read them; each README "
    "says what differs."
)


def links(job: Job) -> str:
    """A download for each target, with what it holds; nothing for a job that cannot leave."""
    if not run_files.fits(job):
        return ""
    items = "".join(
        f'<li><a class="tl-download" href="downloads/runs/{quote(job.id, safe="")}/{quote(name)}" '
        f"download>{escape(title)}</a><span>{escape(summary)}</span></li>"
        for name, title, summary in run_files.targets()
    )
    return f'<p class="tl-hint">{INTRO}</p><ul class="tl-targets">{items}</ul>'


def router(ws: Workspace) -> APIRouter:
    """GET /downloads/runs/JOB/TARGET: a finished training as a ZIP archive."""
    made = APIRouter(prefix="/downloads")

    @made.get("/runs/{job_id}/{target}")
    def packed(request: Request, job_id: str, target: str) -> Response:
        try:
            pieces = run_files.packed(ws, requester(ws, request), job_id, target)
        except UserError as error:
            return attachments.refused(request, error, guide="/guide/training")
        headers = attachments.headers(f"{job_id}-{target}.zip")
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    return made
