"""tuneloop training estimate: one JSON object, one exit code."""

import json
from pathlib import Path

import pytest

from engine.core.actor import LOCAL
from engine.services.models import registry
from engine.workspace import Settings, open_workspace
from tests import helpers


def test_seven_billion_weights_in_full_do_not_fit_in_16_gb(tuneloop):
    code, out, _ = tuneloop(
        "preflight", "sft", "--set", "tuning=full", "--parameters", "7e9", "--memory-gb", 16,
        "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 1
    assert found["verdict"] == "impossible"
    assert found["memory_needed"] == sum(found["memory"].values()) > 100e9
    assert found["proposal"]["tuning"] in ("lora", "qlora")


def test_small_model_fits_and_the_text_says_where_the_numbers_come_from(tuneloop):
    code, out, _ = tuneloop("preflight", "sft", "--parameters", "135M", "--memory-gb", 64)
    assert code == 0
    assert out.startswith("It fits.")
    assert "guess" in out


def test_recipe_file_is_measured_on_its_own_rows(tuneloop, home, tiny_model, tmp_path):
    ws = open_workspace(Settings.from_environment())
    project = helpers.project(ws)
    helpers.dataset(ws, project.id, tmp_path)
    registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    ws.close()
    recipe = tmp_path / "sft.yaml"
    recipe.write_text("kind: sft\nmodel: tiny\ndataset: faq@1\n")
    code, out, _ = tuneloop("preflight", recipe, "--set", "max_steps=3", "--json")
    found = json.loads(out)
    assert (code, found["verdict"], found["steps"]) == (0, "ok", 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sft", "--parameters", "banana"),
        ("sft", "--parameters", "7B", "--set", "tuning"),
        ("sft", "--parameters", "7B", "--set", "tuning=half"),
        ("missing.yaml",),
        ("sft", "--parameters", "7B", "--set", "a=[" + "x" * 3000),
        ("sft", "--parameters", "7B", "--set", "x" * 3000),
        ("latin.yaml",),
        ("broken.yaml",),
        ("kind.yaml",),
    ],
)
def test_estimate_command_refuses_bad_arguments_in_one_sentence(
    tuneloop, tmp_path, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)
    Path("latin.yaml").write_bytes("kind: sft # gr\u00fcn".encode("latin-1"))
    Path("broken.yaml").write_text("kind: [" + "x" * 3000 + "\n")
    Path("kind.yaml").write_text(f"kind: {'x' * 3000}\n")
    code, out, err = tuneloop("preflight", *arguments)
    assert (code, out) == (2, "")
    assert len(err) < 400
    assert "codec" not in err
    assert err.startswith("Error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "change",
    ["lora.r=-1", "lora.r=0", "lora.r=100000000", "lora.r=1.5", "trl.output_dir=/etc",
     "trl.gradient_accumulation_steps=0", "trl.gradient_accumulation_steps=100000000"],
)  # fmt: skip
def test_option_that_the_training_would_refuse_is_refused_by_the_estimate(tuneloop, change):
    name = change.split(".")[1].split("=")[0]
    code, out, err = tuneloop("preflight", "sft", "--parameters", "135M", "--set", change)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {name} ")


def test_rank_counts_in_the_estimate_however_large(tuneloop):
    taken = []
    for rank in (16, 4096, 65_536):
        change = f"lora.r={rank}"
        _, out, _ = tuneloop("preflight", "sft", "--parameters", "135M", "--json", "--set", change)
        taken.append(sum(json.loads(out)["memory"].values()))
    assert taken == sorted(set(taken))
