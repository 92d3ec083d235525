"""The process of the API that the Models page starts, looks at and stops.

It is a child of the web server and ends with it; a server that starts again starts it again. The
web process loads no model: it knows the lock of the child (`api_lock`) and nothing else of it. One
that `tuneloop api` started holds the same lock: it is seen and can be stopped, and outlives the web
server.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from engine.core import child_environment
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, Forbidden, Unfinished, UserError
from engine.files import write_atomic
from engine.http_limits import LOOPBACK
from engine.services.models.api_lock import (
    LOOK_EVERY_S,
    Holder,
    StartedBy,
    holder,
    runs_already,
)
from engine.services.people import accounts
from engine.workspace import Workspace, in_space

HOST, PORT = "TUNELOOP_API_HOST", "TUNELOOP_API_PORT"
USUAL_HOST, USUAL_PORT = "127.0.0.1", 7870
WANTED, LOG = "api.wanted", "api.log"  # in the data folder
START_S = 120.0  # to import torch on a busy machine; one that ends sooner is noticed at once
STOP_S = 15.0  # answers that are being written may end; then the process is killed
LOG_LINES = 20

# by data folder: the child of this process; it holds no lock yet while it is being started
_children: dict[Path, subprocess.Popen[bytes]] = {}
_spawning = threading.Lock()

State = Literal["off", "starting", "on", "failed"]


class ApiProcess(BaseModel):
    """How the API stands; `address` ends in /v1, `log` holds the last lines where it failed."""

    model_config = ConfigDict(frozen=True)

    state: State
    address: str
    loopback: bool  # only programs on this machine reach it
    needs_key: bool
    log: str = ""
    started_by: StartedBy | None = None  # None where nothing runs


def may_start(actor: Actor) -> bool:
    """Whether `start` is there for this actor: owners, and not in a Space, which has one port."""
    return actor.role >= Role.OWNER and not in_space()


def look(ws: Workspace, actor: Actor) -> ApiProcess:
    """Whether the API runs, and where; it failed where it was started and ended by itself."""
    actor.require(Role.TRAINER)
    held = holder(ws.settings.home)
    if held is None and _child(ws) is not None:
        held = Holder()
    if held is not None:
        return _running(ws, held)
    failed = _wanted(ws).exists()
    log = _last_lines(ws) if failed and actor.role >= Role.OWNER else ""
    return _resting(ws, "failed" if failed else "off", log)


def start(ws: Workspace, actor: Actor) -> ApiProcess:
    """Start the API and wait until it answers; Unfinished, with its last words, where it ends.

    It listens on loopback at port 7870 unless the operator's TUNELOOP_API_HOST and
    TUNELOOP_API_PORT say otherwise. Conflict where it runs or starts already, or where somebody
    stops it meanwhile.
    """
    actor.require(Role.OWNER)
    host, port = _where()
    if (other := holder(ws.settings.home)) is not None:
        raise runs_already(other)
    child = _spawn(ws, host, port)
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        held = holder(ws.settings.home)
        if held is not None and held.address:
            write_atomic(_wanted(ws), b"")
            return look(ws, actor)
        if child.poll() is not None:
            if _children.get(ws.settings.home) is not child:
                raise Conflict("The API was stopped before it answered.", "Start it again.")
            raise Unfinished(
                f"The API ended before it answered. {_last_lines(ws, 1)}".strip(),
                f"Its log is {ws.settings.home / LOG}.",
            )
        time.sleep(LOOK_EVERY_S)
    _end_child(ws)
    raise Unfinished(f"The API did not answer within {START_S:.0f} s.", "Try it once more.")


def stop(ws: Workspace, actor: Actor) -> ApiProcess:
    """Stop the API; answers that are being written have some seconds to end."""
    actor.require(Role.OWNER)
    _wanted(ws).unlink(missing_ok=True)
    _end_child(ws)
    _end(ws)
    return look(ws, actor)


def resume(ws: Workspace, actor: Actor) -> None:
    """Start the API with a web server that had it when it ended; what fails is in its log."""
    actor.require(Role.OWNER)
    held = holder(ws.settings.home)
    if not _wanted(ws).exists() or (held and held.started_by == "terminal"):
        return
    try:
        _spawn(ws, *_where())
    except UserError as error:
        write_atomic(ws.settings.home / LOG, f"{error}\n".encode())


def leave(ws: Workspace, actor: Actor) -> None:
    """Stop the API with the web server, whose next start starts it again.

    One that was started in a terminal goes on.
    """
    actor.require(Role.OWNER)
    held = holder(ws.settings.home)
    if held is not None and held.started_by == "terminal":
        return
    _end_child(ws)
    with suppress(Conflict):  # another machine's
        _end(ws)


def _where() -> tuple[str, int]:
    if in_space():
        raise Forbidden(
            "A Space has one address, which is this page's: the API can't be reached there.",
            "Run Tuneloop on a machine of your own to serve models.",
        )
    host = os.environ.get(HOST, "").strip() or USUAL_HOST
    port = os.environ.get(PORT, "").strip() or str(USUAL_PORT)
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"{PORT} is {port!r}, which is no port.", "Set it from 1 to 65535.")
    return host, int(port)


def _running(ws: Workspace, held: Holder) -> ApiProcess:
    return ApiProcess(
        state="on" if held.address else "starting",
        address=held.address or _resting(ws, "off").address,
        loopback=urlsplit(held.address).hostname in LOOPBACK,
        needs_key=not held.open_here or accounts.anybody(ws),
        started_by=held.started_by,
    )


def _resting(ws: Workspace, state: State, log: str = "") -> ApiProcess:
    try:
        host, port = _where()
    except UserError:
        host, port = USUAL_HOST, USUAL_PORT
    return ApiProcess(
        state=state,
        address=f"http://{host}:{port}/v1",
        loopback=host in LOOPBACK,
        needs_key=ws.settings.sign_in or host not in LOOPBACK or accounts.anybody(ws),
        log=log,
    )


def _spawn(ws: Workspace, host: str, port: int) -> subprocess.Popen[bytes]:
    """A new child; Conflict where there is one that lives."""
    asks = "keys" if ws.settings.sign_in else "open"
    with _spawning:
        if _child(ws) is not None:
            raise Conflict("The API starts already.", "Wait until it answers, or stop it.")
        with (ws.settings.home / LOG).open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "engine.api", host, str(port), str(os.getpid()), asks],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**child_environment.passed_on(os.environ), **ws.settings.environment()},
            )
        _children[ws.settings.home] = child
    threading.Thread(target=child.wait, daemon=True).start()  # nothing stays of it when it ends
    return child


def _child(ws: Workspace) -> subprocess.Popen[bytes] | None:
    """The child of this process, where it lives."""
    found = _children.get(ws.settings.home)
    return found if found is not None and found.poll() is None else None


def _end_child(ws: Workspace) -> None:
    """The same as `_end`, for the child of this process, whether it holds the lock yet or not."""
    child = _children.pop(ws.settings.home, None)
    if child is None:
        return
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end(ws: Workspace) -> None:
    """SIGTERM, and SIGKILL after a while; Conflict where it runs on another machine."""
    until = time.monotonic() + STOP_S
    while (held := holder(ws.settings.home)) is not None and not held.pid:
        if time.monotonic() > until:
            raise Unfinished("The API does not say which process it is.", "Try it once more.")
        time.sleep(LOOK_EVERY_S)  # it took the lock a moment ago
    if held is None:
        return
    if held.machine != socket.gethostname():
        raise Conflict(f"The API runs on {held.machine}.", "Stop it there.")
    _signal(held, signal.SIGTERM)
    while holder(ws.settings.home) == held:
        if time.monotonic() > until:
            _signal(held, signal.SIGKILL)
        time.sleep(LOOK_EVERY_S)


def _signal(held: Holder, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(held.pid, sign)


def _wanted(ws: Workspace) -> Path:
    return ws.settings.home / WANTED


def _last_lines(ws: Workspace, most: int = LOG_LINES) -> str:
    try:
        text = (ws.settings.home / LOG).read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-most:])
