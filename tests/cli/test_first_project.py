"""The project that a command makes where there is none: one, whoever else makes it at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.cli import common
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import projects
from engine.workspace import Settings, open_workspace


@pytest.fixture
def ws(tmp_path):
    opened = open_workspace(Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'a.db'}"))
    yield opened
    opened.close()


@pytest.mark.parametrize("wanted", [None, "Mine", " Mine  too "])
def test_commands_that_begin_at_once_make_one_project(ws, monkeypatch, wanted):
    """All of them have looked before the first one makes it."""
    looked, look = threading.Barrier(4), projects.list_all

    def looking(*given):
        found = look(*given)
        looked.wait(60)
        return found

    monkeypatch.setattr(common.projects, "list_all", looking)
    with ThreadPoolExecutor(4) as threads:
        made = {
            one.id for one in threads.map(lambda _: common.project(ws, wanted, make=True), range(4))
        }
    monkeypatch.undo()
    assert [one.id for one in projects.list_all(ws, LOCAL)] == list(made)


def test_project_by_id_or_name_is_found_and_the_newest_where_none_is_named(ws):
    first, second = (projects.create(ws, LOCAL, name) for name in ("One", "Two"))
    assert projects.find_or_create(ws, LOCAL, "One") == first
    assert projects.find_or_create(ws, LOCAL, first.id) == first
    assert projects.find_or_create(ws, LOCAL) == second
    with pytest.raises(UserError, match="1 to 80"):
        projects.find_or_create(ws, LOCAL, "")
