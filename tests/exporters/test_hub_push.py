"""A model goes to a repository of the Hub: private, whole or not at all, and the token nowhere."""

import json

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, Unavailable, UserError
from engine.core.job import State
from engine.models.hub import upload
from engine.services import exports
from engine.services.jobs import lifecycle
from tests import hub_server
from tests.exporters.test_export import exported, world  # noqa: F401
from tests.hub_server import READ_TOKEN, TOKEN, Repo

pytestmark = pytest.mark.train
NAME = "house/support-bot"


@pytest.fixture
def token(hub, monkeypatch):
    """A token that may write, and the protocol that a loopback Hub can speak."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


@pytest.fixture
def folder(tmp_path):
    """What an export wrote."""
    made = tmp_path / "out"
    made.mkdir()
    (made / "model-1.safetensors").write_bytes(b"1" * 300_000)
    (made / "model-2.safetensors").write_bytes(b"2" * 300_000)
    (made / "README.md").write_text("---\nlibrary_name: peft\n---\n\n# Support bot\n")
    return made


def push(folder, private=True, add=False, name=NAME):
    steps = []
    found = upload.push(
        folder,
        name,
        private=private,
        add_to_existing=add,
        message="Support bot",
        say=lambda _: None,
        done=lambda ready, total: steps.append((ready, total)),
    )
    return found, steps


def at_the_hub(hub, name=NAME):
    repo = hub.repos[name]
    return repo.commits[repo.newest]


def test_export_to_the_hub_is_private_and_holds_card_and_certificate(world, hub, token):  # noqa: F811
    ws, project, model = world
    job, state = exported(ws, project, model, "hub", repository=NAME)
    assert state is State.DONE, job.error
    found = exports.result(ws, LOCAL, job.id)
    assert hub.repos[NAME].info["private"] is True
    files = at_the_hub(hub)
    assert set(files) == {file.name for file in found.files} | {".gitattributes"}
    assert {"README.md", "certificate.json", "adapter_model.safetensors"} <= set(files)
    assert found.commit == hub.repos[NAME].newest
    assert found.url.endswith(f"/{NAME}")
    assert json.loads(files["certificate.json"])["same"] == 5
    kept = b"".join(path.read_bytes() for path in ws.files.rglob("*") if path.is_file())
    kept += (ws.settings.home / "test.db").read_bytes() + b"".join(files.values())
    assert TOKEN.encode() not in kept


def test_push_tells_how_many_files_are_there(hub, token, folder):
    found, steps = push(folder)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert found.commit == hub.repos[NAME].newest
    assert len(hub.repos[NAME].commits) == 2  # the empty one, and one with everything


def test_push_without_a_token_says_where_it_comes_from(hub, folder):
    with pytest.raises(UserError, match=r"has no token.*HF_TOKEN, or run hf auth login"):
        push(folder)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("given", "said"),
    [(READ_TOKEN, "may not write to house/support-bot"), ("hf_wrong", "does not accept")],
)
def test_push_says_which_right_the_token_lacks(hub, token, folder, monkeypatch, given, said):
    monkeypatch.setenv("HF_TOKEN", given)
    with pytest.raises(UserError, match=said) as error:
        push(folder)
    assert given not in str(error.value)
    assert hub.sent == []
    assert NAME not in hub.repos


def test_push_leaves_a_repository_with_files_alone_until_told(hub, token, folder):
    hub.repos[NAME] = Repo({"model.safetensors": b"theirs"}, private=True)
    with pytest.raises(UserError, match="holds files"):
        push(folder)
    assert hub.sent == []
    push(folder, add=True)
    assert at_the_hub(hub)["model.safetensors"] == b"theirs"
    assert at_the_hub(hub)["model-1.safetensors"] == b"1" * 300_000


def test_push_makes_a_public_repository_private_first(hub, token, folder):
    hub.repos[NAME] = Repo({".gitattributes": b""}, private=False)
    push(folder)
    assert hub.repos[NAME].info["private"] is True
    asked = hub.paths()
    assert asked.index(f"/api/models/{NAME}/settings") < min(
        number for number, path in enumerate(asked) if "/preupload/" in path
    )


def test_push_sends_nothing_to_what_cannot_be_private(hub, token, folder):
    hub.always_public = True
    with pytest.raises(UserError, match=r"cannot be made private; nothing was sent"):
        push(folder)
    assert hub.sent == []
    found, _ = push(folder, private=False)
    assert found.commit == hub.repos[NAME].newest


def test_push_goes_on_where_a_connection_was_cut(hub, token, folder, monkeypatch):
    from huggingface_hub import lfs

    monkeypatch.setattr(upload, "TRIES", 1)
    real, sends = lfs.lfs_upload, []

    def cut(operation, **rest):
        sends.append(operation.path_in_repo)
        if len(sends) == 2:
            raise ConnectionError("cut")
        return real(operation=operation, **rest)

    monkeypatch.setattr("huggingface_hub._commit_api.lfs_upload", cut)
    with pytest.raises(Unavailable, match=r"was cut \(ConnectionError\); the repository is as it"):
        push(folder)
    assert set(at_the_hub(hub)) == {".gitattributes"}
    push(folder)
    assert sends == ["model-1.safetensors", "model-2.safetensors", "model-2.safetensors"]
    assert len(hub.sent) == 2
    assert set(at_the_hub(hub)) > {"model-1.safetensors", "model-2.safetensors"}


def test_push_takes_up_a_connection_that_breaks_in_a_file(hub, token, folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    hub.cut_uploads = 1
    push(folder)
    assert at_the_hub(hub)["model-2.safetensors"] == b"2" * 300_000


def test_push_that_is_stopped_leaves_the_repository_empty(hub, token, folder):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload.push(folder, NAME, private=True, add_to_existing=False, message="a",
                    say=lambda _: None, done=stop)  # fmt: skip
    assert set(at_the_hub(hub)) == {".gitattributes"}


def test_push_refuses_an_address_as_a_name(hub, token, folder):
    with pytest.raises(UserError, match="no name of a model"):
        push(folder, name="https://elsewhere.example/a/b")
    assert hub.asked == []


def test_push_without_a_hub_is_a_sentence(token, folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="was cut"):
        push(folder)


def test_export_to_the_hub_is_for_owners_and_needs_a_name(world, hub, token):  # noqa: F811
    ws, project, model = world
    trainer = Actor(name="bob", role=Role.TRAINER, projects=frozenset({project.id}))
    with pytest.raises(Forbidden):
        exports.start(ws, trainer, project.id, {"model": model.id, "to": "hub", "repository": NAME})
    with pytest.raises(UserError, match="has no name"):
        exports.start(ws, LOCAL, project.id, {"model": model.id, "to": "hub", "certify": False})
    job, _ = exported(ws, project, model, "hub", repository=NAME, certify=False)
    with pytest.raises(Forbidden):  # "Run again" on an owner's export
        lifecycle.submit(ws, trainer, project.id, lifecycle.recipe_of(job))


def test_export_whose_push_fails_keeps_the_files(world, hub, token, monkeypatch):  # noqa: F811
    ws, project, model = world
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    job, state = exported(ws, project, model, "hub", repository=NAME, certify=False)
    assert state is State.FAILED
    assert "may not write" in job.error
    assert (ws.files / "jobs" / job.id / "export" / "README.md").is_file()
    assert hub_server.READ_TOKEN not in job.error


def test_export_of_what_is_gone_is_named(world, hub, token):  # noqa: F811
    ws, project, _ = world
    with pytest.raises(NotFound):
        exports.start(ws, LOCAL, project.id, {"model": "model-none", "to": "hub"})
