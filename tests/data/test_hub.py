"""Data sets of the Hub by name, from a small server on this machine that speaks its language."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import NotFound, UserError
from engine.services.data import datasets
from engine.services.data import hub as data_hub
from tests import helpers

SHA = "a" * 40
ROWS = "".join(f'{{"prompt": "question {n}?", "completion": "answer {n}."}}\n' for n in range(20))
REPOS = {
    "me/faq": {
        "data/train.jsonl": ROWS,
        "data/test.jsonl": ROWS,
        "faq.py": "boom",
        "README.md": "",
    },
    "me/shards": {
        "train-00000-of-00002.jsonl": ROWS[: ROWS.index("question 9") - 12],
        "train-00001-of-00002.jsonl": ROWS[ROWS.index("question 9") - 12 :],
    },
    "me/two": {"a.csv": "x", "b.csv": "y"},
    "me/script": {"two.py": "boom", "../evil.jsonl": ROWS},
}
PROGRAM = """
import json, sys
from pathlib import Path
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import projects
from engine.services.data import datasets
from engine.services.data import hub as hub_data
from engine.workspace import open_workspace

hub_data.WAIT_S = float(sys.argv[2])
ws = open_workspace()
project = projects.create(ws, LOCAL, "hub")
said = {}
for name in json.loads(sys.argv[1]):
    try:
        kept = hub_data.fetch(ws, LOCAL, project.id, name)
        said[name] = [kept.label, kept.rows, kept.origin, kept.sha256]
    except UserError as error:
        said[name] = str(error)
said["heavy"] = sorted({"torch", "datasets", "transformers"} & set(sys.modules))
ws.close()
print(json.dumps(said))
"""


class Hub(BaseHTTPRequestHandler):
    """The two routes that a download needs."""

    def do_GET(self):
        self._answer(body=True)

    def do_HEAD(self):
        self._answer(body=False)

    def _answer(self, body):
        parts = self.path.split("?")[0].strip("/").split("/")
        repo = "/".join(parts[2:4] if parts[0] == "api" else parts[1:3])
        files = REPOS.get(repo)
        if files is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        if parts[0] == "api":
            siblings = [{"rfilename": n, "size": len(text)} for n, text in files.items()]
            info = {"id": repo, "sha": SHA, "siblings": siblings, "tags": [], "downloads": 0}
            return self._send(200, json.dumps(info).encode(), {}, body)
        content = files["/".join(parts[5:])].encode()
        return self._send(200, content, {"X-Repo-Commit": SHA, "ETag": f'"{hash(content)}"'}, body)

    def _send(self, status, content, headers, body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetched(home: Path, endpoint: str, *names: str, wait_s: float = 8) -> dict:
    away = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(names), str(wait_s)],
        capture_output=True, text=True, env={**os.environ, **away, "NO_PROXY": "*"}, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_data_set_is_fetched_by_name_and_nothing_of_it_is_run(home, hub):
    said = fetched(home, hub, "me/faq", "me/shards", "me/two", "me/script", "me/none")
    label, rows, origin, _ = said["me/faq"]
    assert (label, rows) == ("faq@1", 20)
    assert origin == {"hub": "me/faq", "revision": SHA, "files": ["data/train.jsonl"]}
    assert said["me/shards"][1] == 20
    assert said["me/shards"][3] == said["me/faq"][3]
    assert "There are 2 data files: a.csv, b.csv" in said["me/two"]
    assert "holds no data file" in said["me/script"]
    assert "The Hub has no dataset me/none" in said["me/none"]
    assert said["heavy"] == []


def test_hub_without_a_network_is_refused_at_once_in_one_sentence(ws, monkeypatch):
    project, waits = helpers.project(ws), []
    monkeypatch.setattr(socket.socket, "connect", lambda *_: waits.append("connect"))
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(UserError, match="The Hugging Face Hub cannot be reached"):
        data_hub.fetch(ws, LOCAL, project.id, "me/faq")
    assert waits == []
    assert datasets.list_all(ws, LOCAL, project.id) == []


def test_hub_that_never_answers_is_given_up(home):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        said = fetched(home, f"http://127.0.0.1:{deaf.getsockname()[1]}", "me/faq", wait_s=0.5)
    assert "cannot be reached" in said["me/faq"]  # it came back, and nobody had answered
    assert data_hub.WAIT_S + 1 < 10


@pytest.mark.parametrize(("role", "token"), [(Role.OWNER, None), (Role.TRAINER, False)])
def test_hub_token_of_the_server_is_for_owners_alone(ws, monkeypatch, role, token):
    project, given = helpers.project(ws), []

    def api(*, token):
        given.append(token)
        raise OSError

    monkeypatch.setattr(data_hub, "HfApi", api)
    with pytest.raises(OSError, match=""):
        data_hub.fetch(ws, Actor(name="Ada", role=role), project.id, "me/faq")
    assert given == [token]


def test_hub_is_not_asked_for_a_project_of_somebody_else(ws, monkeypatch):
    monkeypatch.setattr(data_hub, "HfApi", lambda **_: pytest.fail("asked"))
    stranger = Actor(name="Ben", role=Role.TRAINER, projects=frozenset())
    with pytest.raises(NotFound):
        data_hub.fetch(ws, stranger, helpers.project(ws).id, "me/faq")


@pytest.mark.parametrize("name", ["", "faq", "../../etc", "a/b/c", "a/..", "me/fa q", "x" * 300])
def test_hub_name_that_is_malformed_is_refused_before_any_request(ws, name):
    with pytest.raises(UserError, match="not the name of a dataset"):
        data_hub.fetch(ws, LOCAL, "any", name)
