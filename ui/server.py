"""The web app: guard, own routes, Gradio mounted last; `serve` starts it with a worker."""

import os
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.middleware.cors import CORSMiddleware

from engine import worker
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import jobs
from engine.workspace import Settings, Workspace, open_workspace
from ui import app as pages
from ui.guard import LOOPBACK, Guard
from ui.rate_routes import router
from ui.setup import Setup
from ui.theme import theme

STATIC = Path(__file__).parent / "static"
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
ICON = STATIC / "tuneloop.svg"
A_DAY = {"cache-control": "public, max-age=86400"}
HEAD = """
<script src="/static/plotly.min.js" defer></script>
<script src="/static/rate.js" defer></script>
"""


def create_app(ws: Workspace, setup: Setup | None = None, *, space: bool = False) -> Any:
    """The ASGI app for a workspace, the guard around all of it."""
    app = FastAPI(title="Tuneloop", docs_url=None, redoc_url=None, openapi_url=None)
    # An empty list: Gradio leaves CORS to the parent, and the parent allows no other origin.
    app.add_middleware(CORSMiddleware, allow_origins=[])
    app.add_exception_handler(UserError, _explain)

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"ok": True, "version": _version(), "worker": jobs.worker_alive(ws, LOCAL)}

    @app.get("/static/{name}")
    def static(name: str) -> FileResponse:
        path = PLOTLY_JS if name == PLOTLY_JS.name else STATIC / name
        if path.parent not in (STATIC, PLOTLY_JS.parent) or not path.is_file():
            raise UserError(f"There is no file {name!r}.")
        return FileResponse(path, headers=A_DAY if path == PLOTLY_JS else None)

    app.include_router(router(ws))
    demo = pages.build(ws, setup or Setup(), space=space)
    # A mounted app never launches; with the flag unset Gradio skips its check of file paths.
    demo.has_launched = True
    gr.mount_gradio_app(
        app,
        demo,
        "/",
        theme=theme(),
        css_paths=sorted(STATIC.glob("*.css")),
        head=HEAD,
        favicon_path=str(ICON),
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        footer_links=[],
        max_file_size="200mb",
    )
    return Guard(app, space=space)


async def _explain(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, UserError):
        raise error
    return JSONResponse({"problem": error.problem, "fix": error.fix}, status_code=error.status)


def serve(home: Path | None, host: str, port: int, *, space: bool = False) -> None:
    """Open the workspace, start a worker and serve until stopped."""
    if host not in LOOPBACK and not space:
        raise UserError(
            f"{host} can be reached by others, and this server has no sign-in yet.",
            "Use 127.0.0.1, and a tunnel such as ssh -L for another machine.",
        )
    _check_free(host, port)
    settings = Settings.from_environment()
    if home is not None:
        settings = settings.model_copy(update={"home": home.resolve()})
        if "TUNELOOP_DATABASE_URL" not in os.environ:
            url = f"sqlite:///{settings.home / 'tuneloop.db'}"
            settings = settings.model_copy(update={"database_url": url})
    ws = open_workspace(settings)
    setup = Setup()
    setup.start(ws)
    started = worker.start(ws)
    config = uvicorn.Config(
        create_app(ws, setup, space=space), host=host, port=port, log_level="warning"
    )
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    print(f"Tuneloop is at http://{shown}:{port}  (data: {settings.home})", flush=True)  # noqa: T201
    try:
        uvicorn.Server(config).run()
    finally:
        started.terminate()  # it takes no new run and leaves when the one under way is done
        ws.close()


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"Port {port} of {host} can't be used: {error.strerror}.",
                "Stop what uses it, or choose another: make run PORT=7861.",
            ) from None


def _version() -> str:
    try:
        return version("tuneloop")
    except PackageNotFoundError:  # a Space runs from the folder, with nothing installed
        return "0.1.0"
