"""The data folder belongs to its owner alone; a Space refuses a database that it can't reach."""

import stat

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import backups
from engine.workspace import Settings, open_workspace


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def settings(home):
    return Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}")


def test_new_data_folder_is_closed_to_others(tmp_path):
    open_workspace(settings(tmp_path / "deep" / "home")).close()
    assert mode(tmp_path / "deep" / "home") == 0o700


def test_data_folder_that_everybody_could_read_is_closed(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    open_workspace(settings(home)).close()
    assert mode(home) == 0o750  # a group that was let in on purpose stays


def test_backup_is_readable_by_its_owner_alone(tmp_path):
    ws = open_workspace(settings(tmp_path / "home"))
    backups.make(ws, LOCAL, tmp_path / "copy.db")
    ws.close()
    assert mode(tmp_path / "copy.db") == 0o600


@pytest.mark.parametrize("port", ["", ":5432", ":6543"])
def test_space_refuses_a_database_at_a_port_that_it_cannot_reach(tmp_path, monkeypatch, port):
    monkeypatch.setenv("TUNELOOP_SPACE", "1")
    url = f"postgresql://ada:secret@db.example.org{port}/votes"
    with pytest.raises(UserError, match=rf"80, 443 and 8080 .* at port {port[1:] or 5432}") as one:
        open_workspace(Settings(home=tmp_path / "home", database_url=url))
    assert "host:443" in one.value.fix
    assert "secret" not in str(one.value)


@pytest.mark.parametrize("host", ["db.example.org:443", "db.example.org:8080", "localhost", ""])
def test_space_tries_a_database_that_it_can_reach(tmp_path, monkeypatch, host):
    monkeypatch.setenv("TUNELOOP_SPACE", "1")
    asked = []

    def refuse(url):
        asked.append(url)
        raise UserError("Enough.", "")

    monkeypatch.setattr("engine.workspace.open_database", refuse)
    with pytest.raises(UserError, match="Enough"):
        open_workspace(Settings(home=tmp_path, database_url=f"postgresql://ada@{host}/votes"))
    assert len(asked) == 1
