"""The page is rendered once for each address, one at a time, and never blocks whoever else asks."""

import asyncio
import threading
import time

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import Response

from ui.web import rendered
from ui.web.rendered import PIECE, RenderedOnce


class Renders:
    """An app that builds an answer in a thread, and counts how often and how many at once."""

    def __init__(self, size=10):
        self.size, self.asked, self.status = size, [], 200
        self._now, self.most = 0, 0
        self._guard = threading.Lock()

    async def __call__(self, scope, receive, send):
        body = await asyncio.to_thread(self._build, scope)
        await Response(body, self.status, {"x-made": "here"})(scope, receive, send)

    def _build(self, scope):
        with self._guard:
            self._now += 1
            self.most = max(self.most, self._now)
        self.asked.append((scope["method"], scope["path"], scope["query_string"], scope["headers"]))
        time.sleep(0.01)
        with self._guard:
            self._now -= 1
        return b"a" * self.size


def scope_of(path="/", method="GET", query=b"", **headers):
    named = {"host": "here", **headers}
    raw = [(name.encode(), text.encode()) for name, text in named.items()]
    return {"type": "http", "method": method, "path": path, "scheme": "http", "root_path": "",
            "query_string": query, "headers": raw}  # fmt: skip


async def ask(app, scope):
    sent = []

    async def send(message):
        sent.append(message)

    await app(scope, lambda: None, send)
    return sent


def test_page_is_rendered_once_for_many_at_once():
    inner = Renders()
    app = RenderedOnce(inner)

    async def crowd():
        return await asyncio.gather(*(ask(app, scope_of()) for _ in range(50)))

    answers = asyncio.run(crowd())
    assert len(inner.asked) == 1
    assert {b"".join(each.get("body", b"") for each in sent) for sent in answers} == {b"a" * 10}


def test_pages_of_different_prefixes_are_rendered_one_at_a_time_and_few_are_kept():
    inner = Renders()
    app = RenderedOnce(inner)

    async def crowd():
        await asyncio.gather(*(ask(app, {**scope_of(), "root_path": f"/{n}"}) for n in range(30)))

    asyncio.run(crowd())
    assert (len(inner.asked), inner.most) == (30, 1)
    assert len(app._kept) == rendered.MOST


def test_names_of_a_host_cost_no_page():
    inner = Renders()
    app = RenderedOnce(inner)

    async def crowd():
        names = ("host", "x-forwarded-host", "x-forwarded-proto")
        asked = (scope_of(**{name: f"h{n}"}) for n in range(30) for name in names)
        await asyncio.gather(*(ask(app, each) for each in asked))

    asyncio.run(crowd())
    assert len(inner.asked) == 1
    assert len(app._kept) == 1


@pytest.mark.parametrize(
    "headers",
    [{"host": 'a"><script>'}, {"host": "a b"}, {"host": "[::1"}, {"host": "a'b"},
     {"host": "a:99999999"}, {"x-forwarded-host": "a</script>"}, {"host": ""},
     {"x-gradio-server": "javascript:alert(1)"}, {"x-gradio-server": "http://x\\y"}],
    ids=str,
)  # fmt: skip
def test_odd_name_of_a_host_never_stands_in_a_page(headers):
    inner = Renders()
    sent = asyncio.run(ask(RenderedOnce(inner), scope_of(**headers)))
    body = b"".join(each.get("body", b"") for each in sent)
    assert sent[0]["status"] == 400
    assert b"script" not in body
    assert not inner.asked


def test_page_is_kept_apart_by_what_its_address_is_made_of():
    inner = Renders()
    app = RenderedOnce(inner)
    ways = [scope_of(), scope_of("/config"), scope_of("/config", query=b"page="),
            {**scope_of(), "root_path": "/a"}, {**scope_of(), "scheme": "https"}]  # fmt: skip
    for each in [*ways, *ways]:
        asyncio.run(ask(app, each))
    assert len(inner.asked) == len(ways)


def test_kept_page_knows_neither_who_asks_nor_the_rest_of_a_query():
    inner = Renders()
    app = RenderedOnce(inner)
    asyncio.run(ask(app, scope_of(query=b"page=x&deep_link=y&__theme=dark", cookie="a=b")))
    assert inner.asked == [("GET", "/", b"", [(b"host", rendered.NOBODYS.encode())])]


def test_head_of_a_page_has_its_headers_and_no_body():
    inner = Renders()
    sent = asyncio.run(ask(RenderedOnce(inner), scope_of(method="HEAD")))
    assert dict(sent[0]["headers"])[b"x-made"] == b"here"
    assert b"".join(each.get("body", b"") for each in sent) == b""


def test_large_page_is_sent_in_pieces():
    sent = asyncio.run(ask(RenderedOnce(Renders(3 * PIECE + 1)), scope_of()))
    sizes = [len(each["body"]) for each in sent[1:]]
    assert max(sizes) == PIECE
    assert sum(sizes) == 3 * PIECE + 1
    assert not sent[-1].get("more_body")


def test_refusal_and_other_paths_are_not_kept():
    inner = Renders()
    app = RenderedOnce(inner)
    inner.status = 500
    for _ in range(2):
        asyncio.run(ask(app, scope_of()))
    inner.status = 200
    for each in (scope_of("/theme.css"), scope_of(method="POST")):
        for _ in range(2):
            asyncio.run(ask(app, each))
    assert len(inner.asked) == 6
    assert not app._kept


@pytest.mark.parametrize(
    "headers",
    [{}, {"host": "tune.example.org:8443"}, {"host": "[::1]:7860"}, {"x-forwarded-proto": "https"},
     {"x-forwarded-host": "one.example, two.example", "x-forwarded-proto": "https, http"},
     {"x-gradio-server": "http://front.example:3000"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/config", "/config?page="])
def test_kept_page_is_the_page_of_the_library(path, headers):
    with gr.Blocks() as demo:
        gr.Markdown("Hello")
    plain, walled = FastAPI(), FastAPI()
    walled.add_middleware(RenderedOnce)
    for each in (plain, walled):
        gr.mount_gradio_app(each, demo, "/")
    wanted = TestClient(plain, headers=headers).get(path)
    browser = TestClient(walled, headers=headers)
    for _ in range(2):
        got = browser.get(path)
        assert (got.status_code, got.text) == (200, wanted.text)
        assert got.headers["content-length"] == wanted.headers["content-length"]
    assert browser.get(f"{path}{'&' if '?' in path else '?'}deep_link=x").text == wanted.text
