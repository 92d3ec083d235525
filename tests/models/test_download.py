"""A base on its way: whole and checked, or not there at all; nothing comes twice."""

import errno
import json

import pytest

from engine import child
from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.core.event import ProgressEvent
from engine.core.job import State
from engine.core.job_result import DownloadResult
from engine.jobs import download as job_module
from engine.models import origin, weights_file
from engine.models.hub import client, download, facts
from engine.services import hub as service
from engine.services.jobs import lifecycle
from engine.services.models import bases, registry
from tests import helpers, hub_server
from tests.hub_server import TOKEN, Repo

NAME = "makers/tiny-chat"
WEIGHTS = "model.safetensors"


@pytest.fixture
def database_url(tmp_path):
    """What a download does is the same on every database."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def repo(hub, tiny_model):
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    files = hub.repos[NAME].commits[hub.repos[NAME].newest]
    files |= {"pytorch_model.bin": b"p", "weights.pt": b"p", "modeling.py": b"import os",
              "README.md": b"hello", "onnx/model.safetensors": b"x"}  # fmt: skip
    return hub.repos[NAME]


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def fetched(ws, project, revision=None):
    """The job of a download, run here to its end."""
    job = service.add(ws, LOCAL, project.id, NAME, revision)
    claimed = helpers.claimed(ws, job.id, "download")
    child.run(ws, job.id, claimed.fence)
    return lifecycle.get(ws, LOCAL, job.id)


def parts(ws):
    return list((ws.files / "cache" / "bases").glob("*/*"))


def known(ws):
    return [one.name for one in registry.list_all(ws, LOCAL)]


def test_base_is_added_with_its_commit_licence_and_fingerprint(ws, repo, project, tiny_model):
    job = fetched(ws, project)
    assert job.state is State.DONE, job.error
    base = registry.get(ws, LOCAL, job.result.model_id)
    folder = registry.files(ws, base).base
    assert (base.name, base.kind, base.source) == (NAME, "base", "hub")
    assert base.info["revision"] == repo.newest
    assert base.info["fingerprint"] == weights_file.sampled(tiny_model)
    assert isinstance(job.result, DownloadResult)
    assert job.result.fingerprint == base.info["fingerprint"]
    published = origin.of_base(folder)
    assert published == origin.BaseOrigin(NAME, repo.newest, "apache-2.0", "")
    assert not parts(ws)


def test_base_holds_weights_tokenizer_and_configuration_alone(ws, hub, repo, project):
    job = fetched(ws, project)
    folder = registry.files(ws, registry.get(ws, LOCAL, job.result.model_id)).base
    names = {path.name for path in folder.iterdir()}
    assert names == {"tuneloop.json", *(file.name for file in facts.repository(NAME).files)}
    assert not any(name.endswith((".bin", ".pt", ".py", ".part", ".md")) for name in names)
    content = repo.commits[repo.newest]
    assert all((folder / name).read_bytes() == content[name] for name in names & content.keys())
    asked = {path.rpartition("/")[2] for path in hub.paths() if "/resolve/" in path}
    assert not asked & {"pytorch_model.bin", "weights.pt", "modeling.py", "README.md"}


def test_base_comes_in_parts_where_its_weights_do(ws, hub, repo, project):
    files = dict(repo.commits[repo.newest])
    weights = files.pop(WEIGHTS)
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    named = sorted(name for name in header if name != "__metadata__")
    body = weights[8 + int.from_bytes(weights[:8], "little") :]
    where = {}
    for number, chosen in enumerate((named[:3], named[3:]), 1):
        part = f"model-{number:05}-of-00002.safetensors"
        files[part] = some_tensors(header, body, chosen)
        where |= dict.fromkeys(chosen, part)
    index = {"metadata": {}, "weight_map": where}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    files["consolidated.safetensors"] = b"the same weights once more"
    hub.repos[NAME] = Repo(files, **repo.info)
    job = fetched(ws, project)
    assert job.state is State.DONE, job.error
    folder = registry.files(ws, registry.get(ws, LOCAL, job.result.model_id)).base
    assert len(list(folder.glob("*.safetensors"))) == 2


def some_tensors(header, body, names):
    """A safetensors file of some tensors of another."""
    kept, data = {}, b""
    for name in names:
        first, last = header[name]["data_offsets"]
        kept[name] = {**header[name], "data_offsets": [len(data), len(data) + last - first]}
        data += body[first:last]
    head = json.dumps(kept).encode()
    return len(head).to_bytes(8, "little") + head + data


def test_progress_is_said_in_bytes(ws, repo, project):
    job = fetched(ws, project)
    said = [e.data for e in lifecycle.watch(ws, LOCAL, job.id) if isinstance(e, ProgressEvent)]
    assert said[-1]["done"] == said[-1]["total"] == job.result.bytes


def test_base_that_changed_under_its_name_comes_as_it_was_looked_at(ws, hub, repo, project):
    seen = service.look(ws, LOCAL, NAME).revision
    config = json.loads(repo.commits[seen]["generation_config.json"])
    changed = json.dumps({**config, "temperature": 0.1}).encode()
    repo.change({**repo.commits[seen], "generation_config.json": changed})
    first = fetched(ws, project, seen)
    second = fetched(ws, project)
    one, other = (registry.get(ws, LOCAL, job.result.model_id) for job in (first, second))
    assert [base.info["revision"] for base in (one, other)] == [seen, repo.newest]
    assert (one.name, other.name) == (NAME, f"{NAME}@{repo.newest[:7]}")
    contents = [
        (registry.files(ws, base).base / "generation_config.json").read_bytes()
        for base in (one, other)
    ]
    assert contents == [repo.commits[seen]["generation_config.json"], changed]


def test_base_that_is_here_is_not_added_again(ws, repo, project):
    job = fetched(ws, project)
    assert service.look(ws, LOCAL, NAME).model_id == job.result.model_id
    with pytest.raises(Conflict, match="is here already"):
        service.add(ws, LOCAL, project.id, NAME)


def test_cut_connection_is_made_anew_where_it_ended(ws, hub, repo, project, monkeypatch):
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    hub.cut_after = [1000, 2000, 0, 3000]
    job = fetched(ws, project)
    assert job.state is State.DONE, job.error
    ranges = [headers.get("range") for path, headers in hub.asked if path.endswith(WEIGHTS)]
    assert ranges == [None, "bytes=1000-", "bytes=3000-", "bytes=3000-", "bytes=6000-"]


def test_connection_that_stays_cut_leaves_nothing_in_a_list_and_loses_nothing(
    ws, hub, repo, project, monkeypatch
):
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    hub.cut_after = [5000, *[0] * download.TRIES]
    job = fetched(ws, project)
    assert job.state is State.FAILED
    assert "broke off at" in job.error
    assert "add makers/tiny-chat again" in job.error
    assert known(ws) == []
    hub.asked.clear()
    again = fetched(ws, project)
    assert again.state is State.DONE, again.error
    assert known(ws) == [NAME]
    asked = [(path.rpartition("/")[2], headers.get("range")) for path, headers in hub.asked
             if "/resolve/" in path]  # fmt: skip
    assert (WEIGHTS, "bytes=5000-") in asked
    assert "tokenizer.json" not in [name for name, _ in asked]  # it was whole


def test_server_that_knows_no_ranges_sends_the_file_from_its_start(
    ws, hub, repo, project, monkeypatch
):
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    hub.ignore_ranges, hub.cut_after = True, [7000]
    job = fetched(ws, project)
    assert job.state is State.DONE, job.error


def test_part_that_is_not_of_this_file_is_left_out(ws, hub, repo, project):
    folder = ws.files / "cache" / "bases" / job_module.folder_name(NAME, repo.newest)
    folder.mkdir(parents=True)
    (folder / f"{WEIGHTS}{download.PART}").write_bytes(b"something else")
    job = fetched(ws, project)
    assert job.state is State.DONE, job.error


@pytest.mark.parametrize("name", [WEIGHTS, "config.json", "tokenizer.json"])
def test_other_bytes_than_the_hub_lists_are_refused(ws, hub, repo, project, name):
    listed = repo.commits[repo.newest][name]
    wrong = listed[:-1] + bytes([listed[-1] ^ 42])  # a line's end becomes a space: still JSON
    job = service.add(ws, LOCAL, project.id, NAME)
    hub.lies = {name: wrong}
    child.run(ws, job.id, helpers.claimed(ws, job.id, "download").fence)
    ended = lifecycle.get(ws, LOCAL, job.id)
    assert ended.state is State.FAILED
    assert f"{name} came with other bytes" in ended.error
    assert known(ws) == []
    assert f"{name}{download.PART}" not in {path.name for path in parts(ws)}


def test_file_that_never_ends_is_not_kept(ws, hub, repo, project):
    hub.lies = {WEIGHTS: repo.commits[repo.newest][WEIGHTS] + b"more" * 2**16}
    job = fetched(ws, project)
    assert "came with other bytes" in job.error
    assert known(ws) == []


def test_weights_that_are_no_tensors_are_refused(ws, hub, repo, project):
    repo.change({**repo.commits[repo.newest], WEIGHTS: b"\x80\x04pickled" * 99})
    job = fetched(ws, project)
    assert job.state is State.FAILED
    assert "no sound safetensors file" in job.error
    assert known(ws) == []


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [("tokenizer.json", b"no tokenizer", "tokenizer.json is broken"),
     ("tokenizer_config.json", b"{}", "names no end token"),
     ("chat_template.jinja", b"{% if %}", "chat template is broken")],
)  # fmt: skip
def test_broken_tokenizer_is_found_before_the_weights_come(
    ws, hub, repo, project, name, content, problem
):
    files = {**repo.commits[repo.newest], name: content}
    if name == "tokenizer_config.json":
        files.pop("special_tokens_map.json", None)
    repo.change(files)
    job = fetched(ws, project)
    assert job.state is State.FAILED
    assert problem in job.error
    assert known(ws) == []
    assert not any(path.endswith(WEIGHTS) for path in hub.paths())


def test_gate_that_closes_under_way_is_said(ws, hub, repo, project, monkeypatch):
    job = service.add(ws, LOCAL, project.id, NAME)
    repo.gate, repo.info["gated"] = "no_token", "auto"
    child.run(ws, job.id, helpers.claimed(ws, job.id, "download").fence)
    ended = lifecycle.get(ws, LOCAL, job.id)
    assert ended.state is State.FAILED
    assert "Accept the terms" in ended.error


def test_full_disk_is_one_sentence_and_leaves_nothing_in_a_list(ws, repo, project, monkeypatch):
    job = service.add(ws, LOCAL, project.id, NAME)
    monkeypatch.setattr(download, "room", lambda _: 10)
    child.run(ws, job.id, helpers.claimed(ws, job.id, "download").fence)
    ended = lifecycle.get(ws, LOCAL, job.id)
    assert ended.state is State.FAILED
    assert "leaves 500 MB for everything else; the disk has 1 KB free" in ended.error
    assert known(ws) == []


def test_disk_that_fills_up_under_way_is_one_sentence(ws, repo, project, monkeypatch):
    def full(self, found):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download._File, "_write", full)
    job = fetched(ws, project)
    assert job.state is State.FAILED
    assert "The disk is full" in job.error
    assert known(ws) == []


def test_cancelled_download_leaves_nothing_behind(ws, hub, repo, project, monkeypatch):
    write = download._File._write

    def cancelled_under_way(self, found):
        if self.file.name == WEIGHTS:
            lifecycle.cancel(ws, LOCAL, job.id)
        return write(self, found)

    monkeypatch.setattr(child, "POLL_EVERY_S", -1.0)
    monkeypatch.setattr(download._File, "_write", cancelled_under_way)
    job = service.add(ws, LOCAL, project.id, NAME)
    child.run(ws, job.id, helpers.claimed(ws, job.id, "download").fence)
    assert lifecycle.get(ws, LOCAL, job.id).state is State.CANCELLED
    assert known(ws) == []
    assert not parts(ws)


def test_download_that_nobody_goes_on_with_is_deleted_after_two_weeks(
    ws, hub, repo, project, monkeypatch
):
    monkeypatch.setattr(download, "WAIT_S", 0.0)
    hub.cut_after = [5000, *[0] * download.TRIES]
    fetched(ws, project)
    newest = max(path.stat().st_mtime for path in parts(ws))
    bases.sweep(ws, newest + bases.KEPT_S - 60)
    assert parts(ws)
    bases.sweep(ws, newest + bases.KEPT_S + 60)
    assert not parts(ws)


def test_token_reaches_the_hub_and_nothing_that_is_kept(ws, hub, repo, project, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    repo.info["gated"] = "auto"
    job = fetched(ws, project)
    assert job.state is State.DONE, job.error
    sent = [headers.get("authorization") for path, headers in hub.asked]
    assert set(sent) == {f"Bearer {TOKEN}"}
    ws.db.dispose()
    roots = (ws.settings.home, ws.settings.home.parent)
    kept = [path for root in roots for path in root.rglob("*") if path.is_file()]
    assert any(path.name == "test.db" for path in kept)
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_token_of_a_login_is_found_in_its_file(ws, hub, repo, tmp_path):
    (tmp_path / "no-token").write_text(TOKEN)
    service.look(ws, LOCAL, NAME)
    assert {headers.get("authorization") for _, headers in hub.asked} == {f"Bearer {TOKEN}"}


def test_token_is_not_sent_on_to_another_server(ws, hub, repo, project, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    store = hub_server.LoopbackHub()
    store.repos[NAME] = repo
    with hub_server.running(store) as address:
        hub.elsewhere = address
        job = fetched(ws, project)
    assert job.state is State.DONE, job.error
    assert store.asked
    assert {headers.get("authorization") for _, headers in store.asked} == {None}


def test_refusal_never_repeats_what_the_hub_said(ws, hub, repo, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    error = client.HubRefusal(403, "", f"Bearer {TOKEN} <script>", with_token=True)
    assert TOKEN not in str(client.refusal(error, NAME))
    assert TOKEN not in str(error)
