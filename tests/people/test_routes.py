"""Every HTTP route of the web app and of the API, asked by whoever may not.

Made from the apps' own lists of routes, Gradio's among them: each parameter is filled with each id
of another project, each body with all of them. The handlers behind Gradio's doors are test_events.
"""

import asyncio
import json
import re
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select
from starlette.datastructures import Headers
from starlette.routing import Mount, Route

from engine.api import app as api
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.people import accounts, api_keys, password, visitors
from engine.services.rating import invites
from engine.store import tables
from engine.store.connect import reading
from tests import signed_in
from tests.people.test_other_projects import theirs  # noqa: F401  a fixture
from tests.people.visitor_tokens import ADA, BEN, use_key
from ui import server
from ui.pages.rating.routes import COOKIE as RATER
from ui.web.session import COOKIE, VISITOR

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
OWN = {"kind": "csv", "what": "close", "thumb": "up", "target": "trl"}
MADE_UP = ("nonsense", "-1", "\x00", "../x", "é" * 300)
ESCAPED = 599
MEMBERS = ("Bob", "Rob", "invited", "visitor", "other")  # of something else; asked for most
WAITS = ("/gradio_api/upload_progress",)  # three seconds for an upload that begins
ENDS_A_SESSION = ("/account/sign-out",)
FILE = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n'
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--x--\r\n'
)
# who came when, and what a refusal leaves behind
KEPT_OF_REQUESTS = ("session", "last_visit", "worker", "audit", "sign_in_failure", "api_key")


class Answered(NamedTuple):
    """What came back, headers included."""

    status: int
    text: str


class Asked(NamedTuple):
    """A request, and what of it was filled in."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    kind: str = "application/json"


async def answered(app: Any, asked: Asked, headers: dict[str, str]) -> Answered:
    """The answer of an app, without a server; a stream of events is left as soon as it begins."""
    sent, left, status, parts = [False], asyncio.Event(), [0], []
    given = {"host": "tuneloop.example", "content-type": asked.kind, **headers}

    async def receive() -> dict[str, Any]:
        if not sent[0]:
            sent[0] = True
            return {"type": "http.request", "body": asked.body, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
            found = Headers(raw=message["headers"])
            parts.append(repr(found.items()).encode())
            if "event-stream" in found.get("content-type", ""):
                left.set()
        parts.append(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            left.set()

    raw = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
    scope = {
        "type": "http", "method": asked.method, "path": asked.path, "query_string":
        asked.query.encode(), "headers": raw,
        "scheme": "http", "server": ("127.0.0.1", 80), "client": ("203.0.113.9", 5),
        "root_path": "", "http_version": "1.1", "raw_path": asked.path.encode(), "state": {},
    }  # fmt: skip
    try:
        await app(scope, receive, send)
    except Exception as error:  # uvicorn would write a traceback for each of them
        return Answered(ESCAPED, f"{type(error).__name__}: {error}")
    return Answered(status[0], b"".join(parts).decode("utf-8", "replace"))


def every_route(routes, before=""):
    """(path, route) of each route, of apps mounted and routers included as well."""
    for route in routes:
        if isinstance(route, Mount):
            yield from every_route(route.routes, before + route.path)
        elif isinstance(route, Route):
            yield before + route.path, route
        else:  # FastAPI keeps an included router as one route; its paths have their prefix
            included = route.original_router
            prefix = route.include_context.prefix.removeprefix(included.prefix)
            yield from every_route(included.routes, before + prefix)


def requests(app, known):
    """(route, request): each route once with each of the values in each of its places."""
    for path, route in every_route(app.routes):
        if path.startswith(("/static/", "/guide", *ENDS_A_SESSION)):
            continue
        dependant = getattr(route, "dependant", None)
        fields = [field.name for field in dependant.query_params] if dependant else []
        filled = PARAMETER.findall(path) or fields or (route.methods - {"GET", "HEAD"})
        for value in known if filled and path not in WAITS else known[:1]:
            for method in sorted(route.methods):
                there = PARAMETER.sub(lambda m, v=value: OWN.get(m[1], v), path)
                query = "&".join(f"{name}={_escaped(value)}" for name in fields)
                for asked in with_bodies(Asked(method, there, query), value):
                    yield path, asked


def with_bodies(asked, value):
    """A request that takes a body with a body of its kind; with a made-up value one of each."""
    if asked.method in ("GET", "HEAD", "DELETE"):
        yield asked
        return
    told = {
        "token": value, "key": "foreign-key-0001", "choice": "left", "target": "comparison",
        "kind": "off_topic", "data": [value] * 3, "fn_index": 0, "session_hash": value,
        "event_id": value, "model": value, "messages": [{"role": "user", "content": "q"}],
        "training_file": value, "completion_id": value, "thumb": "up", "component_id": 1,
        "fn_name": value, "name": "Eve", "role": "owner", "projects": value, "old": value,
        "password": signed_in.WORDS, "again": signed_in.WORDS,
    }  # fmt: skip
    fields = "&".join(f"{name}={_escaped(str(each))}" for name, each in told.items())
    form = asked._replace(body=fields.encode(), kind="application/x-www-form-urlencoded")
    upload = asked._replace(body=FILE, kind="multipart/form-data; boundary=x")
    takes_form = asked.path.startswith("/account")
    yield form if takes_form else asked._replace(body=json.dumps(told).encode())
    if value == MADE_UP[0]:
        yield upload
        yield asked._replace(body=b"[[1]" if takes_form else b"{", kind="application/json")


def _escaped(text):
    return "".join(f"%{byte:02x}" for byte in text.encode())


def rows(ws):
    """Every row of every table as text, but for what requests leave."""
    with reading(ws.db) as conn:
        return {
            f"{table.name} {tuple(row)!r}"
            for table in tables.metadata.sorted_tables
            if table.name not in KEPT_OF_REQUESTS
            for row in conn.execute(select(table))
        }


async def tried(app, who, known):
    """What each of `who` (name -> headers) saw, what broke, and how often each status came.

    A word that a route says whatever is asked, as the code of a library may, is not seen.
    """
    seen, broken, tally = {}, {}, Counter()
    for name, headers in who.items():
        usual = {}
        for route, asked in requests(app, known):
            got = await answered(app, asked, headers)
            tally[got.status] += 1
            text = got.text
            for each in sorted(known, key=len, reverse=True):
                text = text.replace(each, "")
            secrets = text.casefold().count("secret")
            if secrets > usual.setdefault((route, asked.method, asked.kind), secrets):
                seen.setdefault(name, {})[f"{asked.method} {asked.path}"] = text[-300:]
            if got.status == ESCAPED or "Internal Server Error" in got.text:
                broken[name, asked.method, route, asked.kind] = (asked, got.text[-300:])
    return seen, broken, tally


def own_faults(caplog):
    """The last line of each traceback in the log that ends in our own code."""
    ours = [f"{Path(__file__).parents[2] / folder}/" for folder in ("engine", "ui")]
    ends = [traceback.extract_tb(each.exc_info[2])[-1] for each in caplog.records if each.exc_info]
    return [end for end in ends if end.filename.startswith(tuple(ours))]


def of_project(theirs):  # noqa: F811
    """What strangers might send, made up first, then an id of each kind of a project."""
    found = [v for v in theirs.values() if isinstance(v, str) and "-1" in v]
    kinds = {each.partition("-")[0]: each for each in found}
    return [*MADE_UP, *kinds.values(), theirs["token"], theirs["upload_id"]]


def cookie(name, value):
    return {"cookie": f"{name}={value}"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Passwords cost little to check, and the environment of Gradio stays as it was."""
    monkeypatch.setattr(password, "COST", 16)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")


async def hidden(ws, app, strangers, ours, theirs, own="nobody's"):  # noqa: F811
    """Nobody of `strangers` sees or changes anything but in `own`; who is at home sees it."""
    known, before = of_project(theirs), rows(ws)
    members = {name: held for name, held in strangers.items() if name in MEMBERS}
    others = {name: held for name, held in strangers.items() if name not in MEMBERS}
    tally = Counter()
    for who, values in ((members, known), (others, known[:: len(MADE_UP)])):
        seen, broken, found = await tried(app, who, values)
        assert (seen, broken) == ({}, {})
        tally += found
    assert {row for row in rows(ws) ^ before if own not in row} == set()
    if ours:
        at_home = (await tried(app, {"at home": ours}, known))[0]
        assert at_home["at home"]  # so there is something to be seen
    return tally


def test_route_of_a_server_with_accounts_hides_other_projects(ws, theirs, caplog):  # noqa: F811
    mine = projects.create(ws, LOCAL, "Mine")
    ws.settings = ws.settings.model_copy(update={"sign_in": True})
    held = signed_in.sessions(ws, {
        "Bob": ("trainer", [mine.id]), "Rob": ("rater", [mine.id]),
        "Cleo": ("trainer", [theirs["project_id"]]), "Ada": ("trainer", [theirs["project_id"]]),
    })  # fmt: skip
    accounts.close(ws, LOCAL, accounts.find_by_name(ws, LOCAL, "Cleo").id)
    who = {name: cookie(COOKIE, held[name]) for name in ("Bob", "Rob", "Cleo")}
    guest = invites.make(ws, LOCAL, mine.id, "Guest")
    who |= {"nobody": {}, "forged": cookie(COOKIE, "x" * 43), "invited": cookie(RATER, guest)}
    ada = cookie(COOKIE, held["Ada"])
    tally = asyncio.run(hidden(ws, server.create_app(ws), who, ada, theirs))
    assert tally.total() > 2000
    assert tally[401] > 500
    assert own_faults(caplog) == []


def test_route_of_an_open_space_hides_other_projects(ws, theirs, caplog):  # noqa: F811
    use_key(ws)
    projects.create(ws, visitors.require(ws, BEN), "Mine")
    who = {
        "visitor": cookie(VISITOR, BEN), "new": cookie(VISITOR, ADA), "nobody": {},
        "forged": cookie(VISITOR, BEN[:43] + ADA[43:]),
    }  # fmt: skip
    app = server.create_app(ws, space=True)
    assert asyncio.run(hidden(ws, app, who, None, theirs)).total() > 1000
    assert own_faults(caplog) == []


def test_route_of_the_api_hides_other_projects(ws, theirs, caplog):  # noqa: F811
    mine = projects.create(ws, LOCAL, "Mine")
    _, ours = api_keys.make(ws, LOCAL, theirs["project_id"], "at home")
    _, key = api_keys.make(ws, LOCAL, mine.id, "of mine")
    gone, closed = api_keys.make(ws, LOCAL, theirs["project_id"], "closed")
    api_keys.close(ws, LOCAL, gone.id)
    who = {name: bearer(token) for name, token in (
        ("other", key), ("closed", closed), ("forged", f"tl-{'x' * 43}"), ("odd", "\xff"),
    )}  # fmt: skip
    who["nobody"] = {"openai-project": theirs["project_id"]}
    # whoever knows the address of a vote may give it, so it is no secret of a project
    theirs = {**theirs, "completion_id": "chatcmpl-1-other"}
    app = api.create_app(ws, local=True)
    tally = asyncio.run(hidden(ws, app, who, bearer(ours), theirs, mine.id))
    app.state.serving.close()
    assert tally[401] > 50
    assert own_faults(caplog) == []


def bearer(token):
    return {"authorization": f"Bearer {token}"}
