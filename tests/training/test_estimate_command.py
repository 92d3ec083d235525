"""tuneloop training estimate: one JSON object, one exit code."""

import json

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
    ],
)
def test_estimate_command_refuses_bad_arguments_in_one_sentence(tuneloop, arguments):
    code, out, err = tuneloop("preflight", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert "Traceback" not in err
