"""What every target of a recipe promises, ours or installed: files that are the same each time."""

import ast
import io
import json
import zipfile

import pytest
import yaml

from engine import plugins
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.models.chat_template import Template
from engine.services.models import registry
from engine.services.training import run_files
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.recipe_files import runs
from tests.untrained_adapter import adapter

SECRET = "hf_" + "z" * 30
every_target = pytest.mark.parametrize("to", plugins.names("recipe_targets"))
every_method = pytest.mark.parametrize("method", ["sft", "dpo"])


@pytest.fixture
def world(home, tiny_model):
    """(workspace, project, the tiny base)."""
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    yield ws, helpers.project(ws), base
    ws.close()


def stored(world, method, tmp_path, **values):
    ws, project, base = world
    data = runs.chats(tmp_path) if method == "sft" else runs.pairs(tmp_path)
    return runs.stored(ws, project, method, base.id, data, f"Bot `{method}`", **values)


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@every_target
@every_method
def test_target_writes_the_same_files_twice_without_paths_and_secrets(
    world, tmp_path, monkeypatch, to, method
):
    ws, _, base = world
    monkeypatch.setenv("HF_TOKEN", SECRET)
    job = stored(world, method, tmp_path)
    first = run_files.write(ws, LOCAL, job.id, to, tmp_path / "first")
    second = run_files.write(ws, LOCAL, job.id, to, tmp_path / "second")
    assert first == second
    found = content(tmp_path / "first")
    assert list(found) == [file.name for file in first.files]
    assert found == content(tmp_path / "second")
    everything = b"".join(found.values())
    for private in (str(ws.settings.home), str(base.path), str(tmp_path), SECRET, job.id):
        assert private.encode() not in everything
    assert not list(tmp_path.glob(".first*"))
    assert found["README.md"].decode().startswith("# ")
    assert all(note.endswith(".") for note in first.notes)
    assert all(note in found["README.md"].decode() for note in first.notes)


@every_target
@every_method
def test_target_files_are_readable_by_their_kind(world, tmp_path, to, method):
    ws, _, _ = world
    job = stored(world, method, tmp_path)
    run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
    for name, data in content(tmp_path / "out").items():
        text = data.decode() if not name.endswith(".safetensors") else ""
        if name.endswith((".yaml", ".yml")):
            assert isinstance(yaml.safe_load(text), dict)
        elif name.endswith(".jsonl"):
            assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
        elif name.endswith(".json"):
            json.loads(text)
        elif name.endswith(".py"):
            ast.parse(text)


@every_target
def test_target_as_an_archive_holds_the_same_files(world, tmp_path, to):
    ws, _, _ = world
    job = stored(world, "sft", tmp_path)
    run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
    packed = b"".join(run_files.packed(ws, LOCAL, job.id, to))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == content(tmp_path / "out")
    assert packed == b"".join(run_files.packed(ws, LOCAL, job.id, to))


@every_target
@pytest.mark.parametrize("tuning", ["full", "qlora"])
def test_target_takes_every_tuning(world, tmp_path, to, tuning):
    ws, _, _ = world
    job = stored(world, "sft", tmp_path, tuning=tuning)
    assert run_files.write(ws, LOCAL, job.id, to, tmp_path / "out").files


@every_target
@every_method
def test_target_of_a_run_that_went_on_from_an_adapter_says_so(world, tmp_path, to, method):
    ws, project, base = world
    start = runs.adapter_model(ws, project, base, adapter)
    data = runs.chats(tmp_path) if method == "sft" else runs.pairs(tmp_path)
    job = runs.stored(ws, project, method, start.id, data)
    found = run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert start.name in page
    assert to == "trl" or any(file.name.startswith("start/") for file in found.files)


@every_target
def test_target_that_fails_half_way_leaves_nothing(world, tmp_path, to, monkeypatch):
    ws, _, _ = world
    job = stored(world, "sft", tmp_path)
    target = plugins.load("recipe_targets", to)
    whole = target.files

    def broken(run):
        yield next(whole(run))
        raise UserError("The disk is full.", "Free some space.")

    monkeypatch.setattr(target, "files", broken)
    with pytest.raises(UserError, match="disk is full"):
        run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_run_files_are_for_trainers_of_the_project_only(world, tmp_path):
    ws, project, _ = world
    job = stored(world, "sft", tmp_path)
    rater = Actor(name="ada", role=Role.RATER, projects=frozenset({project.id}))
    stranger = Actor(name="bob", role=Role.TRAINER, projects=frozenset())
    with pytest.raises(Forbidden):
        run_files.packed(ws, rater, job.id, "trl")
    with pytest.raises(NotFound):
        run_files.packed(ws, stranger, job.id, "trl")


def test_run_files_refuse_what_is_no_finished_training_of_a_known_method(world, tmp_path):
    ws, project, base = world
    kto = runs.kto(tmp_path)
    job = runs.stored(ws, project, "kto", base.id, kto)
    with pytest.raises(UserError, match="no training that other programs repeat"):
        run_files.write(ws, LOCAL, job.id, "trl", tmp_path / "out")
    for kind, values, words in (
        ("tpo", {}, "no training that other programs repeat"),
        ("dpo", {"loss_type": ["plackett_luce"]}, "rankings as lists"),
    ):
        job = runs.stored(ws, project, kind, base.id, runs.pairs(tmp_path), **values)
        with pytest.raises(UserError, match=words):
            run_files.write(ws, LOCAL, job.id, "trl", tmp_path / "out")
    with pytest.raises(UserError, match="no recipe target named 'onnx'"):
        run_files.write(ws, LOCAL, stored(world, "sft", tmp_path).id, "onnx", tmp_path / "out")
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="is there already"):
        run_files.write(ws, LOCAL, job.id, "trl", tmp_path / "there")


def test_commands_eject_a_run_and_export_its_recipe(tuneloop, tiny_model, tmp_path):
    ws = open_workspace()
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    job = runs.stored(ws, helpers.project(ws), "sft", base.id, runs.chats(tmp_path), "Help desk")
    ws.close()
    code, out, err = tuneloop("eject", "Help desk", tmp_path / "ejected", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert set(found) == {"path", "files", "notes"}
    assert {file["name"] for file in found["files"]} == set(content(tmp_path / "ejected"))
    code, out, err = tuneloop(
        "recipe", "export", job.id, "--to", "axolotl", "--out", tmp_path / "axolotl"
    )
    assert code == 0, err
    assert (tmp_path / "axolotl" / "config.yml").is_file()
    code, _, err = tuneloop("eject", "nothing", tmp_path / "nothing")
    assert code == 4
    assert "There is no job 'nothing'. The newest: Help desk." in err


@every_target
def test_target_leaves_answers_of_weight_zero_unlearned_or_says_that_it_learns_them(
    world, tmp_path, tiny_model, to
):
    ws, project, base = world
    path = tmp_path / "weighed.jsonl"
    rows = [
        [
            {"role": "user", "content": f"Who is number {n}?"},
            {"role": "assistant", "content": f"unlearned {n}", "weight": 0},
            {"role": "user", "content": "Sure?"},
            {"role": "assistant", "content": f"learned {n}"},
        ]
        for n in range(12)
    ]
    path.write_text("".join(json.dumps({"messages": turns}) + "\n" for turns in rows))
    job = runs.stored(ws, project, "sft", base.id, path, "weighed")
    written = run_files.write(ws, LOCAL, job.id, to, tmp_path / "out")
    said = any("12 conversations have answers of the weight 0" in note for note in written.notes)
    train = content(tmp_path / "out")["data/train.jsonl"].decode().splitlines()
    learned = [json.loads(line) for line in train]
    if "completion" in learned[0]:
        texts = [row["completion"][0]["content"] for row in learned]
        assert all(text.startswith("learned ") for text in texts)
        assert not said
    elif "labels" in learned[0]:
        template = Template.load(tiny_model)
        texts = [template.decode([i for i in row["labels"] if i != -100]) for row in learned]
        assert all(text.startswith("learned ") for text in texts)
        assert not said
    else:
        assert said
