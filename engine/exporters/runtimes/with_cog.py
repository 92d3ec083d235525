"""Answer greedily through Cog's own HTTP server, which serves the exported folder on loopback."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUSY = 409
STARTS = 3
STARTS_WITHIN_S = 600
ANSWERS_WITHIN_S = 900


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Cog's server for `folder`; it starts its worker as `python`, so ours has to come first."""
    entry = json.loads((folder / "cog.yaml").read_text(encoding="utf-8"))["run"]
    path = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    known = {**os.environ, "COG_PREDICT_TYPE_STUB": entry, "PORT": str(port), "PATH": path}
    command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    # what it writes goes with its errors: the last line says why it did not start
    return subprocess.Popen(command, cwd=folder, env=known, stdout=sys.stderr, stderr=sys.stderr)


def ask(port: int, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The server's answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=ANSWERS_WITHIN_S) as reply:
        return json.load(reply)


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server that is ready, and its port; SystemExit where it cannot be.

    It gives its worker a time of its own to connect, which a busy machine may exceed once.
    """
    why = ""
    for _ in range(STARTS):
        port = free_port()
        server = start(folder, port)
        why = wait(server, port)
        if not why:
            return server, port
        stop(server)
    sys.exit(why)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End it, and its worker with it."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()


def wait(server: subprocess.Popen[bytes], port: int) -> str:
    """Until the model is loaded; why it is not, else nothing."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            status = ask(port, "/health-check")
        except OSError:
            status = {}
        if status.get("status") == "READY":
            return ""
        if status.get("status") in ("SETUP_FAILED", "DEFUNCT"):
            logs = str(status.get("setup", {}).get("logs", "")).strip().splitlines()
            return f"its setup failed: {logs[-1] if logs else 'no reason given'}"
        time.sleep(0.2)
    return "its server did not start"


def predict(port: int, given: Mapping[str, Any]) -> Any:
    """A prediction; the server's only slot is free again a moment after it has answered."""
    until = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        try:
            return ask(port, "/predictions", {"input": given})
        except urllib.error.HTTPError as error:
            if error.code != BUSY or time.monotonic() > until:
                raise
        time.sleep(0.1)


def answers(folder: Path, asked: Mapping[str, Any]) -> None:
    """Print one answer a line, as soon as it is written."""
    server, port = serve(folder)
    try:
        for messages in asked["questions"]:
            given = {
                "messages": json.dumps(messages),
                "max_new_tokens": asked["max_new_tokens"],
                "temperature": 0,
                "explain": True,
            }
            found = predict(port, given)
            if found["status"] != "succeeded":
                sys.exit(f"a prediction failed: {found.get('error')}")
            measured = found["metrics"]
            answer = {
                "prompt_text": measured["prompt_text"],
                "prompt_ids": measured["prompt_ids"],
                "text": found["output"],
                "finished": measured["finished"],
                "truncated": measured["truncated"],
            }
            print(json.dumps(answer), flush=True)
    finally:
        stop(server)


if __name__ == "__main__":
    answers(Path(sys.argv[1]), json.load(sys.stdin))
