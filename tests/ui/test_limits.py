"""Requests are bounded in bytes and in time before anybody asks who sent them."""

import asyncio
import socket
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from engine import http_limits
from engine.http_limits import KB, MB, BodyLimits, TimedProtocol
from tests.serving import free_port
from ui.web.limits import limit_for, limit_of

LARGE = 32 * MB


@pytest.fixture
def app():
    made, read = FastAPI(), []

    @made.post("/{path:path}")
    async def take(request: Request):
        read.append(len(await request.body()))
        return {"read": read[-1]}

    made.state.read = read
    made.add_middleware(BodyLimits, limit_for=limit_of)
    return made


@pytest.fixture
def server(app):
    """A real server: the protocol's limits are not those of a test client."""
    config = uvicorn.Config(
        app, port=free_port(), log_level="error", http=TimedProtocol, timeout_keep_alive=600
    )
    started = uvicorn.Server(config)
    thread = threading.Thread(target=started.run, daemon=True)
    thread.start()
    while not started.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield started
    started.should_exit = True
    thread.join(10)


@pytest.fixture
def address(server):
    return ("127.0.0.1", server.config.port)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/rate/vote", 256 * KB),
        ("/api/rates", 2 * MB),
        ("/account/sign-in", 64 * KB),
        ("/gradio_api/upload", 201 * MB),
        ("/gradio_api/queue/join", 2 * MB),
    ],
)
def test_body_limit_follows_the_longest_prefix(path, most):
    assert limit_for(path) == most


def test_body_limit_refuses_before_reading(app):
    browser = TestClient(app)
    assert browser.post("/api/rate/vote", content=b"a" * (256 * KB)).json() == {"read": 256 * KB}
    answer = browser.post("/api/rate/vote", content=b"a" * (256 * KB + 1))
    assert (answer.status_code, answer.text) == (413, "This request is larger than 256 kB.")
    assert app.state.read == [256 * KB]
    wrong = browser.post("/account", content=b"a", headers={"content-length": "x"})
    assert wrong.status_code == 413


def test_body_limit_counts_a_body_that_names_no_length(app):
    pieces = (b"a" * KB for _ in range(100))
    answer = TestClient(app).post("/account/password", content=pieces)
    assert answer.status_code == 413
    assert app.state.read == []


def test_slow_body_is_given_up(app, monkeypatch):
    monkeypatch.setattr(http_limits, "BODY_S", 0.05)
    sent = []

    async def receive():
        await asyncio.sleep(600)
        raise AssertionError("nobody waits so long")

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/api/rate/vote", "method": "POST", "headers": [],
             "query_string": b"", "app": app}  # fmt: skip
    asyncio.run(app.middleware_stack(scope, receive, send) if app.middleware_stack
                else app(scope, receive, send))  # fmt: skip
    assert sent[0]["status"] in (400, 408)
    assert app.state.read == []


def test_connection_whose_headers_never_end_is_closed(address, monkeypatch):
    monkeypatch.setattr(http_limits, "HEADERS_S", 0.2)
    with socket.create_connection(address, timeout=300) as slow:
        slow.sendall(b"POST /account HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert slow.recv(100) == b""
    with socket.create_connection(address, timeout=300) as silent:
        assert silent.recv(100) == b""


def test_connection_that_asks_in_time_is_kept(server, address, monkeypatch):
    """Between two requests no time runs; their pause is uvicorn's own keep-alive."""
    monkeypatch.setattr(http_limits, "HEADERS_S", 120.0)
    request = b"POST /account HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    with socket.create_connection(address, timeout=300) as asking:
        for _ in range(2):
            asking.sendall(request)
            answer = b""
            while not answer.endswith(b'{"read":2}'):
                piece = asking.recv(1000)
                assert piece
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200")
            (connection,) = server.server_state.connections
            assert connection._giving_up is None


def test_connection_over_the_bound_is_refused_and_one_that_leaves_makes_room(server, address):
    """What `serve` sets to CONNECTIONS; the sockets that are held say nothing."""
    server.config.limit_concurrency = 4
    request = b"POST /account HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"

    def status():
        with socket.create_connection(address, timeout=300) as asking:
            asking.sendall(request)
            return asking.recv(1000).split()[1]

    def known(number):
        while len(server.server_state.connections) != number:
            time.sleep(0.01)

    assert status() == b"200"
    held = [socket.create_connection(address, timeout=300) for _ in range(4)]
    known(4)
    assert status() == b"503"
    for each in held:
        each.close()
    known(0)
    assert status() == b"200"


def established(server):
    """The connections that hold a place on the server."""
    return len(server.server_state.connections)


def ends(sock):
    """All that still comes of a connection until the other side has closed it."""
    found = b""
    with suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            found += piece
    return found


def test_connection_whose_body_goes_on_after_the_answer_is_closed(address, monkeypatch):
    monkeypatch.setattr(http_limits, "LINGER_S", 0.2)
    with socket.create_connection(address, timeout=300) as slow:
        slow.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\na")
        while not slow.recv(1000).startswith(b"HTTP/1.1 4"):
            pass
        with suppress(ConnectionError):  # a byte now and then keeps uvicorn's own time from ending
            while True:
                slow.sendall(b"a")
                time.sleep(0.01)


def test_connection_whose_body_ends_after_the_answer_is_kept(server, address, monkeypatch):
    monkeypatch.setattr(http_limits, "LINGER_S", 120.0)
    request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(address, timeout=300) as asking:
        for _ in range(2):
            asking.sendall(request)
            assert asking.recv(1000).startswith(b"HTTP/1.1 4")
            asking.sendall(b"ab")
        asking.sendall(request + b"ab")
        assert asking.recv(1000).startswith(b"HTTP/1.1 4")
        (connection,) = server.server_state.connections
        assert connection._lingering is None


@pytest.fixture
def reader(address, app, monkeypatch):
    """Somebody who asked for more than any buffer holds, and has read one byte."""
    monkeypatch.setattr(http_limits, "READ_S", 0.2)

    @app.get("/large")
    def large() -> Response:
        return Response(b"a" * LARGE)

    with socket.socket() as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KB)
        asking.settimeout(300)
        asking.connect(address)
        asking.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asking.recv(1) == b"H"
        yield asking


def test_connection_that_nobody_reads_is_closed(server, reader):
    while established(server):
        time.sleep(0.01)
    assert len(ends(reader)) < LARGE


@pytest.mark.parametrize(
    ("waiting", "drained", "kept"),
    [
        ([90, 90], False, False),  # nothing was read
        ([90, 61], False, False),
        ([90, 60], False, True),
        ([20, 0], False, True),  # all of it
        ([90, 90], True, True),  # it was read, and more waits by now
    ],
)
def test_answer_must_be_read_at_some_pace(monkeypatch, waiting, drained, kept):
    monkeypatch.setattr(http_limits, "LEAST", 30)
    looks, ended = [], []
    one = TimedProtocol.__new__(TimedProtocol)
    sizes = iter([*waiting, waiting[-1]])
    one.transport = SimpleNamespace(
        get_write_buffer_size=lambda: next(sizes), abort=lambda: ended.append(True)
    )
    one.loop = SimpleNamespace(call_later=lambda _, look: looks.append(look) or look)
    one._watch()
    one._drained = drained
    looks.pop()()
    assert bool(ended) is not kept
    assert bool(looks) is (kept and waiting[-1] > 0)  # and it is looked at again
