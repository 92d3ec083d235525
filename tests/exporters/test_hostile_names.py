"""A model's name is any text of a person: no exported script reads it as an option or a command."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from engine.core.job_context import ModelFiles
from engine.core.model import Model
from engine.exporters import gguf, vllm
from engine.exporters.source import Source

NAMES = {
    "plain": "Support bot",
    "option": "--trust-remote-code",
    "dash": "-h",
    "quotes": "a'b\"c`id`$(touch owned)",
    "command": "x; touch owned; #",
    "lines": "one\ntouch owned\ntwo",
    "equals": "a=b",
    "comma": "a,b",
    "brace": "{a}",
    "accents": "Büro €",
}
# what vLLM's own parsers make of the values
SEEN = """#!/usr/bin/env python3
import argparse, json, sys
parser = argparse.ArgumentParser()
commands = parser.add_subparsers(dest="command")
serve = commands.add_parser("serve")
serve.add_argument("model")
serve.add_argument("--served-model-name", nargs="+")
serve.add_argument("--lora-modules", nargs="+")
serve.add_argument("--max-lora-rank", type=int)
serve.add_argument("--enable-lora", action="store_true")
serve.add_argument("--chat-template")
serve.add_argument("--revision")
print(json.dumps(vars(parser.parse_args())))
"""


def module(value):
    """The name and path of an adapter, as vLLM reads them."""
    if "=" in value and "," not in value:
        return tuple(value.split("="))
    found = json.loads(value)
    return found["name"], found["path"]


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """Runs the script of a folder; what a `vllm` in its place was given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "vllm").write_text(SEEN)
    (programs / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    def run(folder):
        done = subprocess.run(["sh", vllm.SCRIPT], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def source(name, *, adapter, base="owner/base"):
    model = Model(id="model-1", name=name, kind="adapter" if adapter else "base", source="trained",
                  path="jobs/made/model", created_at=0.0)  # fmt: skip
    files = ModelFiles(model, Path("base"), Path("adapter") if adapter else None)
    return Source(files, base, "abc", "bf16", "Q8_0", Path("tools"), lambda _: None)


@pytest.mark.parametrize("base", ["owner/base", "--enable-lora"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_vllm_script_names_the_adapter_and_runs_nothing_else(
    name, base, tmp_path, monkeypatch, seen
):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(
        vllm.adapter, "export",
        lambda _source, to: (to / "adapter_config.json").write_text('{"r": 4}'),
    )  # fmt: skip
    vllm.export(source(name, adapter=True, base=base), out)
    found = seen(out)
    assert found["model"] in (base, f"./{base}")
    assert [module(each) for each in found["lora_modules"]] == [(name, ".")]
    assert (found["max_lora_rank"], found["revision"], found["enable_lora"]) == (8, "abc", True)
    assert sorted(each.name for each in out.iterdir()) == ["adapter_config.json", vllm.SCRIPT]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_vllm_script_names_the_merged_model_and_runs_nothing_else(
    name, tmp_path, monkeypatch, seen
):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(vllm.merged, "export", lambda _source, _to: None)
    vllm.export(source(name, adapter=False), out)
    assert seen(out)["served_model_name"] == [name]
    assert [each.name for each in out.iterdir()] == [vllm.SCRIPT]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_gguf_converter_takes_the_name_for_no_option(name, tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(gguf, "_last_line", lambda command, *_: commands.append(command))
    gguf._convert(tmp_path, tmp_path, tmp_path / "file", "f16", source(name, adapter=False))
    assert commands[0][-1] == f"--model-name={name}"
