"""The app of the API, and the server that `tuneloop api` starts."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import Scope

from engine import worker
from engine.api import chat, errors, feedback, files, fine_tuning
from engine.api.callers import LOOPBACK, Callers, KeyGate
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.http_limits import CONNECTIONS, KB, MB, BodyLimits, TimedProtocol, longest_prefix
from engine.models.serving import MOST_BASES, Serving
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.workspace import Workspace, open_workspace

BODY_BYTES = {
    "": 256 * KB,
    "/v1/chat/completions": 16 * MB,
    "/v1/files": datasets.MAX_BYTES + MB,
}


def create_app(ws: Workspace, *, local: bool, most_bases: int = MOST_BASES) -> FastAPI:
    """All routes over a workspace; with `local` a person on this machine needs no key.

    Models are loaded as somebody asks them; `app.state.serving` answers.
    """
    serving = Serving(most_bases)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        serving.close()

    app = FastAPI(
        title="Tuneloop API", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.serving, app.state.ws = serving, ws
    app.add_middleware(BodyLimits, limit_for=_limit_of)
    app.add_middleware(
        KeyGate, callers=Callers(ws, local=local)
    )  # added last, so it is asked first
    errors.install(app)
    for part in (chat, files, fine_tuning, feedback):
        app.include_router(part.router)

    @app.get("/health")
    def health() -> errors.Wire:
        alive = lifecycle.worker_alive(ws, LOCAL)
        return {"ok": True, "version": version("tuneloop"), "worker": alive}

    return app


def serve(host: str, port: int, most_bases: int) -> None:
    """Open the workspace of the environment and answer until stopped, with a worker beside it."""
    os.umask(0o077)
    _check_free(host, port)
    ws = open_workspace()
    started = None if lifecycle.worker_alive(ws, LOCAL) else worker.start(ws)
    local = host in LOOPBACK
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"The API is at {address}/v1", flush=True)  # noqa: T201
    if not local:
        print("Every request needs a key: tuneloop api keys add NAME", flush=True)  # noqa: T201
    try:
        config = uvicorn.Config(
            create_app(ws, local=local, most_bases=most_bases),
            host=host,
            port=port,
            log_level="warning",
            http=TimedProtocol,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=10,
        )
        uvicorn.Server(config).run()
    finally:
        if started is not None:
            started.terminate()
        ws.close()


def _limit_of(scope: Scope) -> int:
    return longest_prefix(BODY_BYTES, str(scope["path"]))


def _check_free(host: str, port: int) -> None:
    family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"Port {port} of {host} can't be used: {error.strerror}.",
                "Stop what uses it, or choose another port.",
            ) from None
