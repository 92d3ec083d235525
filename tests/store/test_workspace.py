"""The data folder belongs to its owner alone."""

import stat

from engine.core.actor import LOCAL
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
