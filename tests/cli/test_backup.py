"""A copy of the database by the command line."""

import sqlite3
from contextlib import closing

import pytest

from engine.__main__ import main
from engine.workspace import open_workspace
from tests import helpers


def test_a_backup_is_a_whole_database_and_is_made_once(capsys, home, tmp_path):
    ws = open_workspace()
    helpers.project(ws, "Kept")
    ws.close()
    codes = []
    for _ in range(2):
        with pytest.raises(SystemExit) as left:
            main(["backup", str(tmp_path / "copy.db")])
        codes.append(left.value.code)
    assert codes == [0, 5]
    assert "there already" in capsys.readouterr().err
    with closing(sqlite3.connect(tmp_path / "copy.db")) as conn:
        assert conn.execute("SELECT name FROM project").fetchall() == [("Kept",)]
