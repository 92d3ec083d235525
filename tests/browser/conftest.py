"""Servers on a port of their own, and pages in Chromium that are closed after each test."""

import threading
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from engine.workspace import Settings, open_workspace
from tests.browser import rest
from tests.browser.pages import NOTHING_ON_ITS_WAY, Watched
from tests.conftest import REPO
from ui.pages.rating import routes


@contextmanager
def serving(app):
    """The address at which `app` is served meanwhile."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def somebody(chromium):
    """Opens a browser of somebody's own; nothing may go wrong in any of them."""
    opened, errors = [], []

    def browser(width=1600):
        opened.append(chromium.new_context(viewport={"width": width, "height": 900}))
        page = rest.watched(opened[-1].new_page())
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield browser
    for each in opened:
        each.close()
    assert errors == []


@pytest.fixture
def serve():
    """Serves an app for the length of a test: `address = serve(app)`."""
    opened = []

    def start(app):
        opened.append(serving(app))
        return opened[-1].__enter__()

    yield start
    for each in opened:
        each.__exit__(None, None, None)


@pytest.fixture
def ws(home, tmp_path):
    """A workspace on SQLite: what the browser does is the same on every database."""
    url = f"sqlite:///{tmp_path / 'browser.db'}"
    workspace = open_workspace(Settings(home=home, database_url=url))
    yield workspace
    workspace.close()


@pytest.fixture
def address(ws, serve):
    """Where the rating pages of `ws` are."""
    app = FastAPI()
    app.include_router(routes.router(ws))
    app.mount("/static", StaticFiles(directory=REPO / "ui" / "static"))
    return serve(app)


@pytest.fixture
def watched(chromium):
    """Opens pages: `watched(address, width=390)`."""
    opened = []

    def new(address, **options):
        opened.append(Watched(chromium, address, **options))
        return opened[-1]

    yield new
    for each in opened:
        each.context.close()


@pytest.fixture
def desk(serve, watched):
    """Opens a page on a desk or phone: `page, seen = desk(RatingServer(...), width=390)`."""

    def sit(at, **options):
        address = serve(at.app())
        seen = watched(address, **options)
        at.all_sent = lambda: seen.page.wait_for_function(NOTHING_ON_ITS_WAY)
        return seen.open(address, "desk"), seen

    return sit
