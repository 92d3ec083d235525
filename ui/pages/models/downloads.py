"""The route that packs an exported model for whoever may have it at that moment."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from engine.core.errors import UserError
from engine.services import exports
from engine.workspace import Workspace
from ui.components import attachments
from ui.web.session import requester


def router(ws: Workspace) -> APIRouter:
    """GET /downloads/exports/JOB: the files of an export as a ZIP archive."""
    made = APIRouter(prefix="/downloads")

    @made.get("/exports/{job_id}")
    def packed(request: Request, job_id: str) -> Response:
        try:
            pieces = exports.packed(ws, requester(ws, request), job_id)
        except UserError as error:
            return attachments.refused(request, error, guide="/guide/models")
        headers = attachments.headers(f"{job_id}.zip")
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    return made
