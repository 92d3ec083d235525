"""backup and restore: the way out of one home and into another, and what is refused."""

import sqlite3
from contextlib import closing

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.services import backups, projects
from engine.services.people import accounts, password, sign_in
from engine.workspace import MARK, Settings, open_workspace
from tests import helpers
from tests.ui import results

WORDS = "four words in a row"


def settings_of(folder):
    return Settings(home=folder, database_url=f"sqlite:///{folder}/tuneloop.db")


@pytest.fixture
def backup(tmp_path):
    """A backup of a home with one project."""
    ws = open_workspace(settings_of(tmp_path / "first"))
    kept = helpers.project(ws, "Kept")
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, kept.id, tmp_path)
    results.submit(ws, kept.id, "sft", "sft", model=base.id, dataset=data.id)
    made = backups.make(ws, LOCAL, tmp_path / "backup.db")
    ws.close()
    return made


@pytest.fixture
def cheap_password(monkeypatch):
    monkeypatch.setattr(password, "COST", 16)


def names_in(folder):
    ws = open_workspace(settings_of(folder))
    try:
        return [each.name for each in projects.list_all(ws, LOCAL)]
    finally:
        ws.close()


def test_backup_is_a_whole_database_and_is_made_once(tuneloop, home, tmp_path):
    ws = open_workspace()
    helpers.project(ws, "Kept")
    ws.close()
    codes = [tuneloop("backup", tmp_path / "copy.db") for _ in range(2)]
    assert [code for code, _, _ in codes] == [0, 5]
    assert "there already" in codes[1][2]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as conn:
        assert conn.execute("SELECT name FROM project").fetchall() == [("Kept",)]


def test_restore_command_fills_an_empty_home_and_says_what_is_left_to_do(tuneloop, home, backup):
    code, out, err = tuneloop("restore", backup)
    assert code == 0, err
    assert "holds 1 projects and 0 votes" in out
    assert "copy the folder files" in out
    assert names_in(home) == ["Kept"]
    code, _, err = tuneloop("restore", backup)
    assert code == 5
    assert "There is a database already" in err


def test_restore_takes_a_home_that_holds_only_the_copied_files(backup, tmp_path):
    home = tmp_path / "second"
    (home / "files" / "dataset").mkdir(parents=True)
    (home / MARK).write_text((tmp_path / "first" / MARK).read_text())
    assert backups.restore(settings_of(home), LOCAL, backup).files_present
    assert names_in(home) == ["Kept"]
    assert (home / "files" / "dataset").is_dir()


@pytest.mark.parametrize("present", ["notes.txt", "tuneloop.db", MARK])
def test_restore_leaves_a_home_that_is_not_empty_as_it_was(backup, tmp_path, present):
    home = tmp_path / "second"
    home.mkdir()
    (home / present).write_text("7")
    with pytest.raises(Conflict):
        backups.restore(settings_of(home), LOCAL, backup)
    assert [(path.name, path.read_text()) for path in home.iterdir()] == [(present, "7")]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE note (text TEXT)")


def newer(path):
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")


def changed(*statements):
    def change(path):
        with closing(sqlite3.connect(path)) as conn, conn:
            for each in statements:
                conn.execute(each)

    return change


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (
            changed("DROP TABLE rating_round", "CREATE TABLE rating_round (x)"),
            UserError,
            "backup.db (is not whole: its table rating_round|can't be read)",
        ),
        (changed("UPDATE dataset SET findings = '{'"), UserError, "backup.db is not whole"),
        (changed("UPDATE job SET recipe = 'nope'"), UserError, "backup.db is not whole"),
        (lambda path: path.unlink(), NotFound, "no file"),
        (lambda path: path.write_text("hello " * 1000), UserError, "not a database|can't be read"),
        (cut, UserError, "damaged|can't be read"),
        (foreign, UserError, "not a database of Tuneloop"),
        (newer, UserError, "newer Tuneloop"),
    ],
    ids=["table", "dataset", "job", "missing", "text", "cut", "foreign", "newer"],
)
def test_restore_refuses_a_file_that_is_no_sound_backup(backup, tmp_path, spoil, error, words):
    spoil(backup)
    home = tmp_path / "second"
    with pytest.raises(error, match=words):
        backups.restore(settings_of(home), LOCAL, backup)
    assert not home.exists() or list(home.iterdir()) == []


def test_restore_signs_everybody_out_and_drops_unused_links(cheap_password, tmp_path):
    ws = open_workspace(settings_of(tmp_path / "first"))
    browser = sign_in.accept(ws, accounts.first_link(ws), "Olga", WORDS)
    _, link = accounts.add(ws, LOCAL, "Ada", "rater")
    made = backups.make(ws, LOCAL, tmp_path / "backup.db")
    assert sign_in.actor(ws, browser).name == "Olga"
    ws.close()
    home = tmp_path / "second"
    backups.restore(settings_of(home), LOCAL, made)
    ws = open_workspace(settings_of(home))
    assert sign_in.actor(ws, browser) is None
    with pytest.raises(NotFound):
        sign_in.begin(ws, link)
    again = sign_in.sign_in(ws, "Olga", WORDS)
    assert sign_in.actor(ws, again).name == "Olga"
    ws.close()


def test_restore_to_postgresql_says_what_to_do_instead(backup, tmp_path):
    settings = Settings(home=tmp_path / "second", database_url="postgresql://a:b@host/name")
    with pytest.raises(UserError, match=r"PostgreSQL server.*pg_restore"):
        backups.restore(settings, LOCAL, backup)


def test_restore_is_for_owners(backup, tmp_path):
    rater = Actor(name="r", role=Role.RATER)
    with pytest.raises(Forbidden):
        backups.restore(settings_of(tmp_path / "second"), rater, backup)
