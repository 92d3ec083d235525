"""The app of the API, and the server that `tuneloop api` starts."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI

from engine import worker
from engine.api import chat, errors, feedback, files, fine_tuning
from engine.api.callers import Callers, KeyGate
from engine.api.limits import limit_of
from engine.core.actor import LOCAL
from engine.http_limits import CONNECTIONS, LOOPBACK, BodyLimits, TimedProtocol, check_free
from engine.models.request_scheduler import MOST_BASES, RequestScheduler
from engine.services.jobs import lifecycle
from engine.workspace import Workspace


def create_app(ws: Workspace, *, local: bool, most_bases: int = MOST_BASES) -> FastAPI:
    """All routes over a workspace; with `local` a person on this machine needs no key.

    Models are loaded as somebody asks them; `app.state.serving` answers.
    """
    serving = RequestScheduler(most_bases)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        serving.close()

    app = FastAPI(
        title="Tuneloop API", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.serving, app.state.ws = serving, ws
    app.add_middleware(BodyLimits, limit_for=limit_of)
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


def serve(
    ws: Workspace,
    host: str,
    port: int,
    most_bases: int,
    *,
    keys: bool = False,
    with_worker: bool = True,
    ready: Callable[[str, bool], None] | None = None,
) -> None:
    """Answer until stopped, with a worker beside it; `ws` is closed at the end.

    With `keys` nobody on this machine asks without one. `ready` hears the address, which ends in
    /v1, and whether programs on this machine need no key, once requests are answered.
    """
    check_free(host, port)
    alive = not with_worker or lifecycle.worker_alive(ws, LOCAL)
    started = None if alive else worker.start(ws)
    local = host in LOOPBACK and not keys

    def listening() -> None:
        address = _address(host, port)
        print(f"The API is at {address}", flush=True)  # noqa: T201
        if not local:
            print("Every request needs a key: tuneloop api keys add NAME", flush=True)  # noqa: T201
        if ready:
            ready(address, local)

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
        _Server(config, listening).run()
    finally:
        if started is not None:
            started.terminate()
        ws.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say so."""
        await super().startup(sockets)
        if self.started:
            self._listening()


def _address(host: str, port: int) -> str:
    if host in ("0.0.0.0", "::"):  # every address of this machine: name one that can be asked
        host = socket.gethostname()
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
