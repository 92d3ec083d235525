"""A Hub of models on loopback: the part of the Hugging Face Hub's protocol that bases use.

Repositories are folders in memory, one for each commit. What the Hub does wrong is planted by a
test: gates, slow answers, connections that end early, other bytes than it lists.
"""

import base64
import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_token_of_a_test_that_must_never_show"
READ_TOKEN = "hf_token_that_may_only_read"


class Repo:
    """A model: `commits` maps a commit to its files; the last one is what its name means."""

    def __init__(self, files: dict[str, bytes], **info: Any) -> None:
        self.commits: dict[str, dict[str, bytes]] = {}
        self.info = info
        self.gate = ""  # no_token, terms, waiting, scope or bad_token: what a reader is told
        self.change(files)

    @property
    def newest(self) -> str:
        return next(reversed(self.commits))

    def change(self, files: dict[str, bytes]) -> str:
        """Another commit under the same name."""
        content = b"".join(name.encode() + data for name, data in sorted(files.items()))
        commit = hashlib.sha1(content + b"%d" % len(self.commits)).hexdigest()
        self.commits[commit] = files
        return commit

    def about(self, name: str, commit: str, blobs: bool) -> dict[str, Any]:
        files = self.commits[commit]
        siblings = [listed(file, data) if blobs else {"rfilename": file}
                    for file, data in files.items()]  # fmt: skip
        found = {"id": name, "modelId": name, "sha": commit, "private": False, "gated": False,
                 "downloads": 7, "tags": ["safetensors"], "siblings": siblings}  # fmt: skip
        return {**found, **self.info}


def listed(name: str, data: bytes) -> dict[str, Any]:
    """A file as the Hub lists it: large ones by SHA-256, small ones as blobs of git."""
    found: dict[str, Any] = {"rfilename": name, "size": len(data)}
    if name.endswith((".safetensors", ".bin")):
        found["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    found["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return found


REFUSALS = {
    "no_token": (401, "GatedRepo", "You must have access to it and be authenticated."),
    "bad_token": (401, "", "Invalid credentials in Authorization header"),
    "scope": (403, "GatedRepo", "Please enable access to public gated repositories in your "
              "fine-grained token settings to view this repository."),
    "terms": (403, "GatedRepo", "You are not in the authorized list. Visit the page to ask."),
    "waiting": (403, "GatedRepo", "Your request to access it is awaiting a review."),
}  # fmt: skip


class LoopbackHub:
    """`repos` by name; `cut_after` bytes end a connection, once for each item of the list.

    `writers` are the tokens that may write; `objects` are large files by SHA-256, and `sent` those
    that a writer sent, in order. `cut_uploads` connections end in the middle of one.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.writers = {TOKEN}
        self.objects: dict[str, bytes] = {}
        self.sent: list[str] = []
        self.cut_uploads = 0
        self.always_public = False  # nothing here can be made private
        self.cut_after: list[int] = []
        self.lies: dict[str, bytes] = {}  # other bytes than it lists, by file
        self.status = 0  # an error for every request
        self.blocked: threading.Event | None = None  # every answer waits for it
        self.hold_after = 0  # bytes of a weights file, after which a transfer waits for `release`
        self.release = threading.Event()
        self.ignore_ranges = False
        self.elsewhere = ""  # another address that files are redirected to
        self.asked: list[tuple[str, dict[str, str]]] = []  # path and headers of each request

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for path, _ in self.asked]


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        hub, parts = self.hub, urlsplit(self.path)
        path, asked = unquote(parts.path), parse_qs(parts.query)
        hub.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        if hub.blocked:
            hub.blocked.wait(600)
        if hub.status:
            self.refuse(hub.status, "", "planted")
        elif path == "/api/models":
            self.search(asked)
        elif path.startswith("/api/models/"):
            name, _, commit = path.removeprefix("/api/models/").partition("/revision/")
            self.info(name, commit, "blobs" in asked)
        elif "/resolve/" in path:
            name, _, rest = path[1:].partition("/resolve/")
            commit, _, file = rest.partition("/")
            self.file(name, commit, file)
        else:
            self.refuse(404, "", "nothing here")

    def do_POST(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("transfer-encoding") == "chunked":
            body = self.chunks()
        if path == "/api/validate-yaml":
            self.answer(b'{"errors": [], "warnings": []}')
        elif self.may_write():
            self.write(path, body)

    def do_PUT(self) -> None:
        """A large file, or the settings of a repository."""
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        size = int(self.headers.get("content-length") or 0)
        if hub.cut_uploads and path.startswith("/objects/"):
            hub.cut_uploads -= 1
            self.rfile.read(size // 2)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(size)
        if path.startswith("/objects/"):
            digest = hashlib.sha256(body).hexdigest()
            hub.objects[digest] = body
            hub.sent.append(digest)
            self.answer(b"{}")
        elif self.may_write():
            self.settings(path.removeprefix("/api/models/").removesuffix("/settings"), body)

    do_PATCH = do_PUT

    def chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def may_write(self) -> bool:
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.hub.writers:
            return True
        if token == READ_TOKEN:
            self.refuse(403, "", "You do not have the right to write here")
        else:
            self.refuse(401, "", "Invalid credentials in Authorization header")
        return False

    def write(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            self.create(json.loads(body))
        elif "/preupload/" in path:
            self.modes(json.loads(body))
        elif path.endswith(".git/info/lfs/objects/batch"):
            self.batch(json.loads(body))
        elif path.startswith("/verify/"):
            self.answer(b"{}")
        elif "/commit/" in path:
            self.commit(path.removeprefix("/api/models/").partition("/commit/")[0], body)
        else:
            self.refuse(404, "", "nothing here")

    def create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repos:
            self.refuse(409, "", "You already created this model repo")
            return
        private = asked.get("visibility") == "private" and not self.hub.always_public
        self.hub.repos[name] = Repo({".gitattributes": b""}, private=private)
        self.answer(json.dumps({"url": f"http://{self.headers['host']}/{name}"}).encode())

    def settings(self, name: str, body: bytes) -> None:
        if self.hub.always_public:
            self.refuse(403, "", "This repository must be public")
            return
        private = json.loads(body).get("visibility") == "private"
        self.hub.repos[name].info["private"] = private
        self.answer(json.dumps({"private": private}).encode())

    def modes(self, asked: dict[str, Any]) -> None:
        large = (".safetensors", ".bin", ".gguf")
        found = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(large) else "regular",
                "shouldIgnore": False,
            }
            for one in asked["files"]
        ]
        self.answer(json.dumps({"files": found}).encode())

    def batch(self, asked: dict[str, Any]) -> None:
        here = f"http://{self.headers['host']}"
        found = []
        for one in asked["objects"]:
            if one["oid"] not in self.hub.objects:
                to = {"upload": {"href": f"{here}/objects/{one['oid']}"}}
                to["verify"] = {"href": f"{here}/verify/{one['oid']}"}
                found.append({**one, "actions": to})
            else:
                found.append(one)
        self.answer(json.dumps({"transfer": "basic", "objects": found}).encode())

    def commit(self, name: str, body: bytes) -> None:
        repo = self.hub.repos[name]
        files = dict(repo.commits[repo.newest])
        for line in body.splitlines():
            one = json.loads(line)
            if one["key"] == "file":
                files[one["value"]["path"]] = base64.b64decode(one["value"]["content"])
            elif one["key"] == "lfsFile":
                files[one["value"]["path"]] = self.hub.objects[one["value"]["oid"]]
        made = {"commitOid": repo.change(files)}
        made["commitUrl"] = f"http://{self.headers['host']}/{name}/commit/{made['commitOid']}"
        self.answer(json.dumps(made).encode())

    def search(self, asked: dict[str, list[str]]) -> None:
        word = asked.get("search", [""])[0].lower()
        found = [repo.about(name, repo.newest, blobs=False)
                 for name, repo in self.hub.repos.items() if word in name.lower()]  # fmt: skip
        self.answer(json.dumps(found).encode())

    def info(self, name: str, commit: str, blobs: bool) -> None:
        repo = self.hub.repos.get(name)
        if repo is None:
            with_token = "authorization" in self.headers
            self.refuse(404 if with_token else 401, "RepoNotFound", "Repository not found")
        elif commit and commit not in repo.commits:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
        elif repo.gate == "bad_token":
            self.refuse(*REFUSALS["bad_token"])
        else:
            self.answer(json.dumps(repo.about(name, commit or repo.newest, blobs)).encode())

    def file(self, name: str, commit: str, file: str) -> None:
        repo = self.hub.repos[name]
        data = repo.commits.get(commit, {}).get(file)
        if data is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
        elif repo.gate:
            self.refuse(*REFUSALS[repo.gate])
        elif self.hub.elsewhere:
            self.send_response(302)
            self.send_header("location", self.hub.elsewhere + self.path)
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self.send_file(file, self.hub.lies.get(file, data))

    def send_file(self, name: str, data: bytes) -> None:
        said = self.headers.get("range", "")
        start = int(said.removeprefix("bytes=").rstrip("-")) if said else 0
        start = 0 if self.hub.ignore_ranges else start
        self.send_response(206 if start else 200)
        self.send_header("content-length", str(len(data) - start))
        if start:
            self.send_header("content-range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        weights = name.endswith(".safetensors")
        if weights and self.hub.hold_after and not self.hub.release.is_set():
            held = max(start, self.hub.hold_after)  # a reader who comes back gets no further
            self.wfile.write(data[start:held])
            self.hub.release.wait(600)
            start = held
        cut = self.hub.cut_after.pop(0) if weights and self.hub.cut_after else None
        self.wfile.write(data[start:] if cut is None else data[start : start + cut])
        if cut is not None:
            self.close_connection = True

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("x-error-code", code)
        self.send_header("x-error-message", message)
        self.send_header("content-length", "0")
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that was killed is no fault of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(hub: LoopbackHub) -> Iterator[str]:
    """The address of `hub` while it runs."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        hub.release.set()
        if hub.blocked:
            hub.blocked.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a model's folder, as a repository has them."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def tiny(folder: Path, **info: Any) -> Repo:
    """The repository of the tests' tiny model, with what the Hub would say of it."""
    files = files_of(folder)
    header = json.loads(files["model.safetensors"][8 : 8 + int.from_bytes(
        files["model.safetensors"][:8], "little")])  # fmt: skip
    weights = 0
    for name, about in header.items():
        if name != "__metadata__":
            size = 1
            for each in about["shape"]:
                size *= each
            weights += size
    said = {"safetensors": {"parameters": {"F32": weights}, "total": weights},
            "cardData": {"license": "apache-2.0"}}  # fmt: skip
    return Repo(files, **{**said, **info})
