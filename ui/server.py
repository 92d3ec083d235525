"""The web app: guard, own routes, Gradio mounted last; `serve` starts it with a worker."""

import os
import shutil
import socket
from collections.abc import Collection
from copy import copy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.middleware.cors import CORSMiddleware
from typing_extensions import TypedDict  # pydantic reads this one before Python 3.12
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from engine import worker
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.http_limits import CONNECTIONS, LOOPBACK, BodyLimits, TimedProtocol, check_free
from engine.services.jobs import lifecycle
from engine.services.models import api_process
from engine.services.off_site import bucket as off_site
from engine.services.off_site import replica
from engine.services.people import accounts
from engine.workspace import Settings, Workspace, open_workspace
from ui import app as pages
from ui.components.theme import theme
from ui.pages.evaluation.downloads import router as downloads
from ui.pages.guide.routes import router as guide
from ui.pages.jobs.downloads import router as run_files
from ui.pages.models.downloads import router as exports
from ui.pages.people.routes import router as account
from ui.pages.rating.routes import router as rating
from ui.web import first_script, memory, page_states
from ui.web.default_model_download import Setup
from ui.web.gradio_requests import GradioRequests, explain_unreadable
from ui.web.limits import UPLOAD_MB, limit_of
from ui.web.prefix import Prefix, cleaned
from ui.web.rendered import RenderedOnce
from ui.web.security import SecurityMiddleware
from ui.web.sign_in_gate import Gate
from ui.web.unexpected import Unexpected
from ui.web.visitors import Visitors

STATIC = Path(__file__).parent / "static"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
FIRST_STYLES = ("tokens.css", "tuneloop.css")  # colours, then what the others build on
# relative: the page may lie under a path of its host
HEAD = (
    '<link rel="icon" type="image/svg+xml" href="static/tuneloop.svg">'
    '<script src="static/rate.js" defer></script>'
)
SIGNED_OUT = '<script src="static/account.js"></script>'
VISITING = '<script src="static/visitor.js"></script>'
SIGN_IN = "TUNELOOP_SIGN_IN"
BUCKET = "TUNELOOP_BUCKET"
# where the proxy of a Space is, the only one who reaches it
PRIVATE_NETWORKS = [
    "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
]  # fmt: skip


def create_app(
    ws: Workspace,
    setup: Setup | None = None,
    *,
    space: bool = False,
    hosts: Collection[str] = (),
) -> FastAPI:
    """All routes over a workspace, the guard in front of them; `app.state.demo` is the page."""
    # Before the page is built: where Gradio keeps what people upload, for a day.
    os.environ["GRADIO_TEMP_DIR"] = str(ws.settings.uploads)
    # Version 0.1 left the answers of evaluations here, at addresses that everybody could open.
    shutil.rmtree(ws.settings.uploads / "answers", ignore_errors=True)
    asks = ws.settings.sign_in
    visited = space and not asks
    if visited:  # whoever may open the page, and nobody who is known: each sees what they made
        ws = copy(ws)
        ws.settings = ws.settings.model_copy(update={"visitors": True})
    app = FastAPI(title="Tuneloop", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.demo = pages.build(ws, setup, space=space)
    # An empty list: Gradio leaves CORS to the app it is mounted in, and this one lets nobody in.
    app.add_middleware(CORSMiddleware, allow_origins=[])
    app.add_middleware(RenderedOnce)
    app.add_middleware(GradioRequests, blocks=app.state.demo)
    if visited:
        app.add_middleware(Visitors, ws=ws)
    if asks:
        app.add_middleware(Gate, ws=ws)
        app.include_router(account(ws, space=space))
    app.add_middleware(BodyLimits, limit_for=limit_of)
    app.add_middleware(Unexpected)
    app.add_middleware(
        SecurityMiddleware, space=space, anywhere=asks, hosts=hosts
    )  # added last, so it is asked first
    app.add_exception_handler(UserError, _explain)
    app.add_exception_handler(RequestValidationError, explain_unreadable)
    app.include_router(_own(ws))
    app.include_router(guide())
    app.include_router(rating(ws, space=space))
    app.include_router(downloads(ws))
    app.include_router(exports(ws))
    app.include_router(run_files(ws))
    _mount(app, ws)
    return app


class Health(TypedDict):
    """What /health answers: whether a worker was heard of lately."""

    ok: bool
    version: str
    worker: bool


def _own(ws: Workspace) -> APIRouter:
    """Health, and files by name: a fixed list, so that no path can lead elsewhere."""
    router = APIRouter()
    files = {path.name: path for path in [*STATIC.iterdir(), PLOTLY] if path.is_file()}

    @router.get("/health")
    def health() -> Health:
        alive = lifecycle.worker_alive(ws, LOCAL)
        return {"ok": True, "version": version("tuneloop"), "worker": alive}

    def serve_file(path: Path) -> None:
        age = "public, max-age=86400" if path == PLOTLY else "no-cache"
        headers = {"cache-control": age}
        router.add_api_route(
            f"/static/{path.name}", lambda: FileResponse(path, headers=headers), methods=["GET"]
        )

    for path in files.values():
        serve_file(path)
    return router


def _mount(app: FastAPI, ws: Workspace) -> None:
    # A mounted page is never launched; without this mark Gradio does not check file paths.
    app.state.demo.has_launched = True
    styles = sorted(STATIC.glob("*.css"), key=_order)
    gr.mount_gradio_app(
        app,
        app.state.demo,
        "/",
        theme=theme(),
        css_paths=styles,
        head=HEAD + SIGNED_OUT * ws.settings.sign_in + VISITING * ws.settings.visitors,
        favicon_path=str(STATIC / "tuneloop.svg"),
        blocked_paths=[str(ws.files), str(ws.settings.home / "models")],
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        footer_links=[],
        max_file_size=f"{UPLOAD_MB}mb",
    )
    first_script.add()
    mounted: Any = app.routes[-1]
    mounted.app.add_exception_handler(RequestValidationError, explain_unreadable)
    page_states.keep_little(mounted.app, app.state.demo)


def _order(path: Path) -> tuple[int, str]:
    first = FIRST_STYLES.index(path.name) if path.name in FIRST_STYLES else len(FIRST_STYLES)
    return first, path.name


async def _explain(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, UserError):
        raise error
    return JSONResponse({"problem": error.problem, "fix": error.fix}, status_code=error.status)


def serve(
    home: Path,
    host: str,
    port: int,
    *,
    space: bool = False,
    hosts: Collection[str] = (),
    proxies: Collection[str] = (),
    root_path: str = "",
) -> None:
    """Open the workspace in `home`, start a worker and serve until stopped.

    Where others can reach the address, or anybody has an account, the page asks who somebody is.
    `hosts` are the names that it answers to, any where none is given; `proxies` the addresses whose
    X-Forwarded-Proto, -For and -Prefix are believed, beside this machine's own; `root_path` is the
    public path where it is not the root of its host. The bucket that TUNELOOP_BUCKET names gets all
    that a start on an empty disk needs, and fills an empty `home`.
    """
    memory.limit_pools()
    os.umask(0o077)  # votes, texts and hashes of passwords are the owner's of this process alone
    public = cleaned(root_path)
    check_free(host, port)
    settings, bucket = Settings.in_home(home), os.environ.get(BUCKET, "")
    kept = off_site.opened(bucket) if bucket else None
    if kept:
        replica.restore(settings, kept)
    ws = open_workspace(settings)
    outside = host not in LOOPBACK and not space
    asks = outside or accounts.anybody(ws) or os.environ.get(SIGN_IN) == "1"
    ws.settings = ws.settings.model_copy(update={"sign_in": asks})
    copies = replica.Replica(ws, kept) if kept else None
    if copies:
        copies.start()
        ws.off_site = copies
    setup = Setup()
    setup.start(ws)
    started = worker.start(ws)
    api_process.resume(ws, LOCAL)
    app = create_app(ws, setup, space=space, hosts=hosts)
    _greet(ws, _address(host, port) + public, home)
    try:
        trusted = ["127.0.0.1", "::1", *proxies]
        # outside of what replaces the address of the proxy by that of its client
        asgi: Any = app  # uvicorn spells the same types otherwise
        known: Any = ProxyHeadersMiddleware(asgi, trusted + PRIVATE_NETWORKS * space)
        walls = Prefix(known, root_path=public, proxies=trusted)
        config = uvicorn.Config(
            walls,
            host=host,
            port=port,
            log_level="warning",
            http=TimedProtocol,
            proxy_headers=False,
            forwarded_allow_ips=trusted,
            limit_concurrency=CONNECTIONS,
        )
        uvicorn.Server(config).run()
    finally:
        api_process.leave(ws, LOCAL)
        started.terminate()  # it takes no new run and leaves when the one under way is done
        if copies:
            copies.stop()
        ws.close()


def _greet(ws: Workspace, address: str, home: Path) -> None:
    print(f"Tuneloop is at {address}  (data: {home})", flush=True)  # noqa: T201
    token = accounts.first_link(ws) if ws.settings.sign_in else None
    if token:
        first = f"{address}/account/welcome/{token}"
        print(f"The owner's account begins here, once: {first}", flush=True)  # noqa: T201


def _address(host: str, port: int) -> str:
    if host in ("0.0.0.0", "::"):  # every address of this machine: name one that can be opened
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
