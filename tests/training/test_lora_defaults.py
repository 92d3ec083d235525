"""Options inside `lora` are added to the defaults of the method, wherever a person writes them."""

import json

import pytest

from engine import plugins
from engine.cli.training import changed, values_of
from engine.core.errors import UserError
from engine.core.recipe import read, read_exact
from engine.core.yaml_values import read_yaml
from ui.components import forms

SFT = plugins.load("jobs", "sft").Recipe
NAMES = {"model": "m", "dataset": "d"}
USUAL = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}


def test_set_of_one_lora_option_keeps_the_other_defaults():
    assert read(SFT, changed(dict(NAMES), ("lora.r=8",))).lora == {**USUAL, "r": 8}


def test_lora_option_of_a_recipe_file_keeps_the_other_defaults(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: m\ndataset: d\nlora: {r: 4, use_dora: true}\n")
    values = values_of(file, ("lora.r=8",))
    assert read(SFT, values).lora == {**USUAL, "r": 8, "use_dora": True}


def test_null_takes_a_lora_default_away():
    lora = {"target_modules": None}
    assert read(SFT, {**NAMES, "lora": lora}).lora == {"r": 16, "lora_alpha": 32}


def test_lora_option_of_a_reward_model_keeps_its_scoring_layer():
    reward = plugins.load("jobs", "reward").Recipe
    assert read(reward, {**NAMES, "lora": {"r": 8}}).lora["modules_to_save"] == ["score"]


def test_lora_that_is_no_list_of_options_is_refused():
    with pytest.raises(UserError, match="lora"):
        read(SFT, {**NAMES, "lora": 8})


def test_study_completes_the_lora_options_of_its_settings():
    sweep = plugins.load("jobs", "sweep").Recipe
    values = {**NAMES, "settings": {"lora": {"lora_alpha": 8}}, "space": {"lora.r": [2, 4]}}
    study = read(sweep, values)
    assert study.settings["lora"] == {**USUAL, "lora_alpha": 8}
    assert study.training({"lora.r": 2}).lora == {**USUAL, "lora_alpha": 8, "r": 2}
    assert study.space == {"lora.r": (2, 4)}


def test_stored_recipe_with_few_lora_options_stays_as_it_is():
    """A training of an earlier version asked PEFT's defaults for what it did not name."""
    old = read_exact(SFT, {**NAMES, "lora": {"r": 8}})
    assert old.lora == {"r": 8}
    assert SFT.model_validate(json.loads(old.model_dump_json())) == old


def test_form_shows_and_uses_all_lora_options():
    filled = forms.read(SFT, {**NAMES, "lora": "r: 8"})
    assert filled.lora == {"r": 8}
    again = read_yaml(forms.as_yaml(filled))
    again.pop("kind")
    assert again["lora"] == {"r": 8, "lora_alpha": None, "target_modules": None}
    assert read(SFT, again) == filled
