"""tuneloop export | eject | recipe export | recipe import, as scripts call them."""

import json
import os
from contextlib import closing

import pytest

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.model import Model
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import models
from engine.store.connect import writing
from engine.workspace import open_workspace
from tests import helpers
from tests.untrained_adapter import adapter

FORMATS = ("adapter", "merged", "gguf", "ollama", "vllm", "cog", "hub")


@pytest.fixture
def bot(tuneloop, tiny_model, tmp_path, monkeypatch):
    """A trained model called "Support bot"; the current folder is empty, its name has a space."""
    with_data = open_workspace()
    base = registry.add_base(with_data, LOCAL, "tiny", tiny_model, "folder")
    project = helpers.project(with_data)
    data = helpers.dataset(with_data, project.id, tmp_path)
    with writing(with_data.db) as conn:
        models.add(
            conn,
            Model(id="model-bot", project_id=project.id, name="Support bot", kind="adapter",
                  source="trained", path="jobs/made/model", base_id=base.id, dataset_id=data.id,
                  created_at=1.0),
        )  # fmt: skip
    with_data.close()
    empty = tmp_path / "an empty folder"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return empty


@pytest.mark.train
def test_export_prints_path_files_and_certificate_and_writes_the_folder_that_was_named(
    tuneloop, bot, home, tiny_model
):
    adapter(tiny_model, home / "files" / "jobs" / "made" / "model", seed=1)
    asked = ("--to", "adapter", "--out", "a/my bot", "--certify", "--json")
    short = ("--prompts", 2, "--max-new-tokens", 4)
    code, out, err = tuneloop("export", "Support bot", *asked, *short)
    assert code == 0, err
    found = json.loads(out)
    assert set(found) >= {"path", "files", "certificate"}
    assert found["path"] == "a/my bot"
    proof = found["certificate"]
    assert (proof["n"], proof["same"], proof["differences"], proof["causes"]) == (2, 2, [], [])
    written = {path.name: path.stat().st_size for path in (bot / "a/my bot").iterdir()}
    assert written == {file["name"]: file["bytes"] for file in found["files"]}
    assert [path.name for path in (bot / "a").iterdir()] == ["my bot"]


def test_export_knows_the_formats_that_were_promised():
    assert set(FORMATS) <= set(plugins.names("exporters"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--to", "merged", "--out", "there"], 2, "there is there already. Name a new folder."),
        (["--to", "merged", "--out", "file/bot"], 2, "file/bot can't be written: Not a directory"),
        (["--to", "merged", "--out", "x" * 300], 2, "can't be written: File name too long"),
        (["--to", "onnx", "--out", "new"], 2, "'onnx' is not one of 'adapter', 'merged', 'gguf'"),
        (["--out", "new"], 2, "Missing option '--to'"),
        (["--to", "merged"], 2, "Missing option '--out'"),
    ],
    ids=["exists", "under-a-file", "long", "unknown", "no-format", "no-folder"],
)
def test_export_refuses_before_it_works(tuneloop, bot, words, code, said):
    (bot / "there").mkdir()
    (bot / "file").write_text("mine")
    assert _refused(tuneloop("export", "Support bot", *words, "--json"), code, said)
    with closing(open_workspace()) as opened:
        project = projects.list_all(opened, LOCAL)[0]
        assert lifecycle.list_all(opened, LOCAL, project.id) == []
    assert sorted(os.listdir(bot)) == ["file", "there"]


def test_export_and_eject_name_what_there_is(tuneloop, bot):
    missing = tuneloop("export", "Nothing", "--to", "merged", "--out", "new", "--json")
    assert _refused(missing, 4, "There is no model 'Nothing'. Known: tiny, Support bot.")
    assert _refused(tuneloop("eject", "Nothing", "new"), 4, "There is no job 'Nothing'")
    command = ("recipe", "export", "Nothing", "--to", "torchtune")
    assert _refused(tuneloop(*command), 2, "'trl', 'axolotl', 'llamafactory', 'unsloth'")
    assert os.listdir(bot) == []


def test_recipe_import_prints_the_recipe_and_every_key_without_an_equal(tuneloop, home, tmp_path):
    file = tmp_path / "my config.yaml"
    lines = ["base_model: a/b", "adapter: lora", "micro_batch_size: 2", "sequence_len: 64",
             "datasets: [{path: rows.jsonl, type: alpaca}]", "wandb_project: mine"]  # fmt: skip
    file.write_text("\n".join(lines))
    code, out, err = tuneloop("recipe", "import", file, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["recipe"]["per_device_train_batch_size"] == 2
    assert "wandb_project" in [one["key"] for one in found["unmatched"]]
    code, out, err = tuneloop("recipe", "import", file, "--out", tmp_path / "new" / "recipe.yaml")
    assert code == 0, err
    again = tuneloop("recipe", "import", file, "--out", tmp_path / "new" / "recipe.yaml", "--json")
    assert _refused(again, 2, "recipe.yaml is there already. Name a new file.")
    under = tuneloop("recipe", "import", file, "--out", file / "recipe.yaml", "--json")
    assert _refused(under, 2, "can't be written: Not a directory. Name a file that may be made.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file or directory"),
        (b"", "holds no settings"),
        (b"\x00\xff", "is not text in UTF-8."),
        (b"a: 1\nb: [1", "is not YAML: expected ',' or ']', but got '<stream end>' (line 2)."),
        (b"colour: red\n", "no keys of a program that is known"),
    ],
    ids=["missing", "empty", "bytes", "broken", "unknown"],
)
def test_recipe_import_refuses_what_is_no_configuration(tuneloop, home, tmp_path, content, said):
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_bytes(content)
    assert _refused(tuneloop("recipe", "import", file, "--json"), 2, said)


def _refused(ended, code, said):
    """One sentence and a code, and nothing on stdout."""
    found, out, err = ended
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err
    return True
