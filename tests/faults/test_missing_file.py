"""The database file is taken away, or another put in its place, while the server runs."""

import shutil

import pytest
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.core.errors import Unavailable, UserError
from engine.services import projects
from engine.services.people import accounts
from engine.workspace import Settings, open_workspace
from ui import server


@pytest.fixture
def opened(tmp_path):
    """A workspace in the place where a server has it, and its database file."""
    file = tmp_path / "tuneloop.db"
    ws = open_workspace(Settings(home=tmp_path, database_url=f"sqlite:///{file}"))
    projects.create(ws, LOCAL, "Before")
    yield ws, file
    ws.close()


def take_away(file, aside):
    file.rename(aside)


def put_another(file, aside):
    shutil.copy(file, aside)
    file.unlink()
    shutil.copy(aside, file)


@pytest.mark.parametrize("fresh", [False, True], ids=["open connection", "new connection"])
@pytest.mark.parametrize("happens", [take_away, put_another])
def test_database_that_is_gone_is_refused_and_no_new_one_is_made(opened, tmp_path, happens, fresh):
    ws, file = opened
    if fresh:
        ws.db.dispose()
    happens(file, tmp_path / "aside")
    there = file.exists()
    for asked in (
        lambda: projects.create(ws, LOCAL, "Lost"),
        lambda: projects.list_all(ws, LOCAL),
        lambda: accounts.first_link(ws),
    ):
        with pytest.raises(Unavailable, match="removed or replaced while the server runs"):
            asked()
    assert file.exists() is there
    assert list(tmp_path.glob("tuneloop.db-*")) == []


def test_database_that_is_put_back_is_served_again(opened, tmp_path):
    ws, file = opened
    take_away(file, tmp_path / "aside")
    with pytest.raises(Unavailable):
        projects.create(ws, LOCAL, "Lost")
    (tmp_path / "aside").rename(file)
    projects.create(ws, LOCAL, "After")
    assert {one.name for one in projects.list_all(ws, LOCAL)} == {"Before", "After"}


def test_server_answers_without_its_database_file(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    ws, file = opened
    monkeypatch.setattr(server.pages, "build", _Empty)
    monkeypatch.setattr(server, "_mount", lambda *_: None)
    client = TestClient(server.create_app(ws), base_url="http://127.0.0.1")
    take_away(file, tmp_path / "aside")
    got = client.get("/health")
    assert got.status_code == 503
    assert "removed or replaced" in got.json()["problem"]
    assert not file.exists()


class _Empty:
    def __init__(self, *_, **__):
        """A page with nothing on it."""


@pytest.mark.parametrize("text", ["a\x00b", "a\udc80b"])
def test_text_that_a_database_cannot_store_is_a_sentence(ws, text):
    """PostgreSQL takes no NUL, neither takes half a character."""
    for asked in (
        lambda: projects.get(ws, LOCAL, text),
        lambda: accounts.find_by_name(ws, LOCAL, text),
    ):
        with pytest.raises(UserError):
            asked()
