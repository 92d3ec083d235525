"""What every exporter promises, ours or installed: the same files each time, whole or not there."""

import errno
import os
import shutil

import pytest

from engine import child, plugins
from engine.core.actor import LOCAL
from engine.core.errors import NotFound
from engine.core.job import State
from engine.jobs import export
from engine.services import exports
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import models
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.exporters.conftest import letters, tools, with_tools  # noqa: F401
from tests.exporters.test_hub_push import token  # noqa: F401
from tests.hub_server import TOKEN
from tests.ui import results
from tests.untrained_adapter import adapter

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def over_letters(letters, tmp_path_factory):  # noqa: F811
    """The folders of a base that every converter knows, and of an adapter over it."""
    return letters[0], adapter(letters[0], tmp_path_factory.mktemp("over") / "adapter", seed=1)


@pytest.fixture
def world(home, over_letters, tmp_path, with_tools, hub, token, monkeypatch):  # noqa: F811
    """(workspace, project, the adapter as a model of it); a Hub on loopback takes what is pushed"""
    base_folder, adapter_folder = over_letters
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "letters", base_folder, "folder")
    project = helpers.project(ws)
    data = helpers.dataset(ws, project.id, tmp_path)
    tuned = results.adapter(ws, project.id, base, data, "Support bot")
    shutil.copytree(adapter_folder, ws.files / "jobs" / tuned.job_id / "adapter")
    with writing(ws.db) as conn:
        known = models.get(conn, tuned.id)
    yield ws, project, known
    ws.close()


def started(ws, project, model, to, number):
    """The job of an export, claimed; `number` makes its recipe another one."""
    asked = {"model": model.id, "to": to, "certify": False, "prompts": number}
    asked |= {"repository": f"house/bot-{number}"} if to == "hub" else {}
    job = exports.start(ws, LOCAL, project.id, asked)
    helpers.claimed(ws, job.id)
    return job


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("to", plugins.names("exporters"))
def test_exporter_writes_the_same_after_a_full_disk_and_a_kill_without_paths_and_secrets(
    world, to, monkeypatch
):
    ws, project, model = world
    first = started(ws, project, model, to, 1)
    assert child.run(ws, first.id, 1) is State.DONE, lifecycle.get(ws, LOCAL, first.id).error
    found = content(exports.folder(ws, LOCAL, first.id))
    listed = exports.result(ws, LOCAL, first.id).files
    assert [file.name for file in listed] == list(found)
    for private in (str(ws.settings.home), str(registry.files(ws, model).base), TOKEN, first.id):
        assert not [name for name, data in found.items() if private.encode() in data]

    full = started(ws, project, model, to, 2)
    with monkeypatch.context() as patched:
        patched.setattr(export, "_files", no_room)
        assert child.run(ws, full.id, 1) is State.FAILED
    assert "No space left on device. Free disk space" in lifecycle.get(ws, LOCAL, full.id).error
    assert not [path.name for path in (ws.files / "jobs" / full.id).iterdir() if path.is_dir()]
    with pytest.raises(NotFound, match="no finished export"):
        exports.folder(ws, LOCAL, full.id)

    killed = started(ws, project, model, to, 3)
    left = ws.files / "jobs" / killed.id / ".export"
    left.mkdir(parents=True)
    (left / "half.safetensors").write_bytes(b"of the attempt that was killed")
    assert child.run(ws, killed.id, 1) is State.DONE
    assert content(exports.folder(ws, LOCAL, killed.id)) == found
    assert not left.exists()


def no_room(_folder):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
