"""Files to take along: every request asks who somebody is, and what they may see at that moment."""

import csv
import json
import os
import zipfile
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.export import ExportedFile
from engine.core.job_outcome import Outcome
from engine.core.job_result import ExportResult
from engine.services import job_outcomes, projects
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.people import accounts, sign_in
from engine.workspace import Settings, open_workspace
from tests import helpers, signed_in
from tests.recipe_files import runs
from tests.signed_in import HERE, WORDS, browser
from tests.ui import results
from ui import server
from ui.pages.evaluation.downloads import DOWNLOADS
from ui.web.session import COOKIE

SECRET = "secret answer"
TRICKS = [
    "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/tuneloop.db",
    "x/../../tuneloop.db", "%00", "a%00b", "' OR 1=1 --", "%5c..%5c", "con", "x" * 4000,
    "%ED%A0%80", "é",
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server that asks who somebody is, two projects, an evaluation in the first."""
    home = tmp_path_factory.mktemp("downloads")
    with signed_in.workspace(home) as ws:
        one, other = (projects.create(ws, LOCAL, name) for name in ("One", "Other"))
        base, data = helpers.model(ws, home), helpers.dataset(ws, one.id, home)
        tuned = results.adapter(ws, one.id, base, data)
        answers = {3: (SECRET, 0.1, "right 3", 1.0), 5: ("=1+1", 1.0, "no", 0.2)}
        which = results.evaluated(ws, one.id, data, base, tuned, answers)
        others = {
            "Ada": ("trainer", [one.id]),
            "Bob": ("trainer", [other.id]),
            "Rita": ("rater", [one.id]),
        }
        held = signed_in.sessions(ws, others)
        yield ws, server.create_app(ws), held, which


@pytest.fixture
def get(world):
    """(somebody or nobody, a path) -> the answer."""
    _, app, held, _ = world

    def asked(name, path, **headers):
        return browser(app, held[name] if name else None).get(path, headers=headers)

    return asked


def path_of(which, kind):
    return f"/downloads/evaluations/{which}/{kind}"


@pytest.mark.parametrize("kind", DOWNLOADS)
@pytest.mark.parametrize("name", ["Olga", "Ada"])
def test_download_is_an_attachment_that_no_cache_keeps(world, get, name, kind):
    got = get(name, path_of(world[3], kind))
    assert got.status_code == 200
    assert got.headers["content-disposition"].startswith("attachment; filename=")
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["x-content-type-options"] == "nosniff"


def test_download_holds_the_answers_by_the_names_of_the_page(world, get):
    table = get("Ada", path_of(world[3], "csv")).content.decode("utf-8-sig")
    lines = list(csv.DictReader(StringIO(table)))
    assert lines[0]["base: answer"] == SECRET
    assert lines[1]["base: answer"] == "'=1+1"
    rows = get("Ada", path_of(world[3], "jsonl")).text.splitlines()
    assert json.loads(rows[0])["outputs"]["SFT one"]["text"] == "right 3"
    assert "How it came about" in get("Ada", path_of(world[3], "card")).text
    assert "Better" in get("Ada", path_of(world[3], "report")).text


@pytest.mark.parametrize("kind", DOWNLOADS)
def test_download_of_another_project_is_not_there(world, get, kind):
    theirs, guessed = (get("Bob", path_of(which, kind)) for which in (world[3], "evaluation-0"))
    assert theirs.status_code == guessed.status_code == 404
    assert theirs.text.replace(world[3], "X") == guessed.text.replace("evaluation-0", "X")


@pytest.mark.parametrize(("name", "status"), [(None, 401), ("Rita", 403)])
def test_download_needs_a_trainer(world, get, name, status):
    assert get(name, path_of(world[3], "csv")).status_code == status
    page = get(name, path_of(world[3], "csv"), accept="text/html")
    assert page.status_code == status  # not led to the sign-in, which would be saved as the file
    assert SECRET not in page.text


def test_download_ends_with_the_membership_and_with_the_account(world, get):
    ws, _, held, which = world
    added, token = accounts.add(ws, LOCAL, "Cleo", "trainer", [projects.list_all(ws, LOCAL)[0].id])
    accounts.change(ws, LOCAL, added.id, "trainer", [_project(ws, "One")])
    held["Cleo"] = sign_in.accept(ws, token, "Cleo", WORDS)
    assert SECRET in get("Cleo", path_of(which, "csv")).text
    accounts.change(ws, LOCAL, added.id, "trainer", [_project(ws, "Other")])
    assert get("Cleo", path_of(which, "csv")).status_code == 404
    accounts.close(ws, LOCAL, added.id)
    assert get("Cleo", path_of(which, "csv")).status_code == 401


@pytest.mark.parametrize("trick", TRICKS)
def test_download_address_leads_nowhere_else(world, get, trick):
    for path in (
        f"/downloads/evaluations/{trick}/csv",
        f"/downloads/evaluations/{world[3]}/{trick}",
    ):
        got = get("Olga", path)
        assert got.status_code in (404, 422), path
        assert "root:" not in got.text
        assert SECRET not in got.text


def test_download_refusal_is_a_page_for_a_person(world, get):
    got = get("Bob", path_of("evaluation-0", "csv"), accept="text/html")
    assert (got.status_code, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Choose one from the list." in got.text


def test_gradio_hands_out_no_file_not_even_an_own_upload(world):
    ws, app, held, _ = world
    client = TestClient(app, base_url=HERE, cookies={COOKIE: held["Ada"]})
    sent = client.post("/gradio_api/upload", files={"files": ("a.jsonl", b"{}")}).json()[0]
    assert Path(sent).is_relative_to(ws.settings.home / "uploads")
    for name in ("Olga", "Ada", "Bob"):
        asked = TestClient(app, base_url=HERE, cookies={COOKIE: held[name]})
        for path in (f"/gradio_api/file={sent}", f"/gradio_api/file/{sent}", f"/file={sent}"):
            assert asked.get(path).status_code == 404, path


def test_answers_that_an_earlier_version_left_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    ws = open_workspace(Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'test.db'}"))
    left = tmp_path / "uploads" / "answers" / "evaluation-1"
    left.mkdir(parents=True)
    (left / "answers.csv").write_text(SECRET)
    monkeypatch.setattr(server.pages, "build", _stop)
    with pytest.raises(_Stopped):
        server.create_app(ws)
    assert not left.exists()
    ws.close()


def test_server_makes_files_for_its_owner_alone(tmp_path, monkeypatch):
    before = os.umask(0o022)
    monkeypatch.setattr(server, "check_free", _stop)
    try:
        with pytest.raises(_Stopped):
            server.serve(tmp_path, "127.0.0.1", 0)
        (tmp_path / "a").write_text("x")
        (tmp_path / "b").mkdir()
        assert [(tmp_path / n).stat().st_mode & 0o777 for n in "ab"] == [0o600, 0o700]
    finally:
        os.umask(before)


class _Stopped(Exception):
    pass


def _stop(*_, **__):
    raise _Stopped


def _project(ws, name):
    return next(one.id for one in projects.list_all(ws, LOCAL) if one.name == name)


@pytest.fixture(scope="module")
def exported(world):
    """The id of a finished export in the first project."""
    ws, _, _, which = world
    project = evaluations.ref(ws, LOCAL, which).project_id
    model = registry.list_all(ws, LOCAL, project)[-1]
    recipe = plugins.load("jobs", "export").Recipe(model=model.id, to="merged", certify=False)
    job = lifecycle.submit(ws, LOCAL, project, recipe)
    folder = ws.files / "jobs" / job.id / "export"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(SECRET)
    file = ExportedFile(name="README.md", bytes=len(SECRET), sha256="0" * 64)
    path = folder.relative_to(ws.files).as_posix()
    result = ExportResult(sentence="done", to="merged", path=path, files=(file,))
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(result=result))
    return job.id


def test_export_download_is_a_whole_archive_for_its_project(get, exported):
    got = get("Ada", f"/downloads/exports/{exported}")
    assert got.status_code == 200
    assert got.headers["content-disposition"].startswith("attachment; filename=")
    with zipfile.ZipFile(BytesIO(got.content)) as archive:
        assert archive.read("README.md").decode() == SECRET


@pytest.mark.parametrize("name", [None, "Bob", "Rita"])
def test_export_download_is_refused_to_everybody_else(get, exported, name):
    got = get(name, f"/downloads/exports/{exported}")
    assert got.status_code in (302, 303, 307, 401, 403, 404)
    assert SECRET.encode() not in got.content


@pytest.mark.parametrize("trick", TRICKS)
def test_export_download_has_no_way_around(get, exported, trick):
    got = get("Ada", f"/downloads/exports/{trick}")
    assert got.status_code in (307, 400, 404, 405, 414, 422)


@pytest.fixture(scope="module")
def leaving(world, tiny_model, tmp_path_factory):
    """A finished training in the first project, by its job."""
    ws = world[0]
    one = next(each for each in projects.list_all(ws, LOCAL) if each.name == "One")
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    return runs.stored(ws, one, "sft", base.id, runs.chats(tmp_path_factory.mktemp("rows"))).id


@pytest.mark.parametrize("target", plugins.names("recipe_targets"))
def test_run_download_is_a_whole_archive_for_its_project(get, leaving, target):
    got = get("Ada", f"/downloads/runs/{leaving}/{target}")
    assert got.status_code == 200
    assert got.headers["cache-control"] == "no-store"
    assert f'filename="{leaving}-{target}.zip"' in got.headers["content-disposition"]
    with zipfile.ZipFile(BytesIO(got.content)) as archive:
        assert archive.testzip() is None
        assert {"README.md", "data/train.jsonl"} <= set(archive.namelist())


@pytest.mark.parametrize("name", ["Bob", "Rita", None])
def test_run_download_is_refused_to_everybody_else(get, leaving, name):
    got = get(name, f"/downloads/runs/{leaving}/trl")
    assert got.status_code in (303, 401, 403, 404)
    assert b"question" not in got.content


@pytest.mark.parametrize("trick", TRICKS)
def test_run_download_has_no_way_around(get, leaving, trick):
    for path in (f"{trick}/trl", f"{leaving}/{trick}"):
        got = get("Ada", f"/downloads/runs/{path}")
        assert got.status_code in (307, 400, 404, 405, 414, 422)
