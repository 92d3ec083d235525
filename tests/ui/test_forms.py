"""Forms follow the recipe: every field has a box, and a filled form is the recipe again."""

from typing import Literal

import gradio as gr
import pytest
import yaml
from pydantic import Field

from engine import plugins
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from ui.components import forms


class Odd(Recipe):
    KIND = "odd"

    flavour: Literal["sweet", "sour"] = Field("sour", description="How it tastes")
    maybe: Literal["a", "b"] | None = Field(None, description="Left to the library")
    hot: bool = Field(False, description="Whether it is hot")
    size: int = Field(3, ge=1, le=9, description="How large")
    note: str = Field("", description="Anything")


ODD = {"flavour": "sweet", "maybe": "", "hot": True, "size": 4, "note": " hi "}


def built(recipe, **kwargs):
    with gr.Blocks():
        fields = forms.build(recipe, **kwargs)
    return dict(zip(forms.names(recipe, **kwargs), fields, strict=True))


def as_built(recipe):
    """What the untouched form sends."""
    return {
        name: field.preprocess(field.value)
        for name, field in built(recipe).items()
        if name not in forms.CHOSEN
    }


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_untouched_form_is_the_recipe_with_its_defaults(kind):
    recipe = plugins.load("jobs", kind).Recipe
    read = forms.read(recipe, {"model": "m", "dataset": "d", **as_built(recipe)})
    assert read == recipe(model="m", dataset="d")


@pytest.mark.parametrize("kind", plugins.names("jobs"))
def test_every_job_has_a_form(kind):
    recipe = plugins.load("jobs", kind).Recipe
    assert list(built(recipe)) == list(recipe.model_fields)


def test_types_become_the_components_that_fit_them():
    fields = built(Odd)
    assert isinstance(fields["flavour"], gr.Dropdown)
    assert isinstance(fields["hot"], gr.Checkbox)
    assert isinstance(fields["size"], gr.Number)
    assert fields["size"].info == "How large (from 1, up to 9)"
    assert isinstance(fields["note"], gr.Textbox)


def test_filled_form_is_read_field_by_field():
    assert forms.read(Odd, ODD) == Odd(flavour="sweet", hot=True, size=4, note="hi")


def test_emptied_number_is_the_default():
    assert forms.read(Odd, {**ODD, "size": None}).size == 3


def test_fields_can_be_taken_out_or_picked():
    assert list(built(Odd, skip=("note",))) == ["flavour", "maybe", "hot", "size"]
    assert list(built(Odd, only=("size", "hot"))) == ["hot", "size"]


def sft(**values):
    return forms.read(plugins.load("jobs", "sft").Recipe, {"model": "m", "dataset": "d", **values})


def test_numbers_in_yaml_may_be_written_as_people_write_them():
    assert sft(trl="warmup_steps: 5\nadam_epsilon: 1e-8").trl == {
        "warmup_steps": 5,
        "adam_epsilon": 1e-8,
    }


def test_empty_yaml_box_means_no_option():
    assert sft(lora="").lora == {}


@pytest.mark.parametrize("text", ["r: [1", "r: 1\n  b: 2", "\tr: 1", "@"])
def test_broken_yaml_names_the_box_and_the_line(text):
    with pytest.raises(UserError, match=r"LoRA options: line \d is not YAML"):
        sft(lora=text)


@pytest.mark.parametrize("text", ["- r", "just words", "3"])
def test_yaml_that_is_no_list_of_options_is_refused(text):
    with pytest.raises(UserError, match="not a list of options"):
        sft(trl=text)


def test_yaml_cannot_make_objects():
    with pytest.raises(UserError, match="not YAML"):
        sft(trl="x: !!python/object/apply:os.getcwd []")


def test_losses_and_weights_are_read_as_lists():
    recipe = plugins.load("jobs", "dpo").Recipe
    filled = {"model": "m", "dataset": "d", "loss_type": ["ipo", "sft"]}
    assert forms.read(recipe, {**filled, "loss_weights": "1, 0.5"}).loss_weights == [1.0, 0.5]
    assert forms.read(recipe, {**filled, "loss_weights": " "}).loss_weights is None


def test_wrong_value_is_named():
    with pytest.raises(UserError, match="learning_rate"):
        sft(learning_rate=2.0)


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_yaml_of_a_recipe_reads_back_as_the_same_recipe(kind):
    recipe = plugins.load("jobs", kind).Recipe
    one = recipe(model="m", dataset="d", trl={"warmup_steps": 3})
    values = yaml.safe_load(forms.as_yaml(one))
    assert values.pop("kind") == kind
    assert recipe.model_validate(values) == one
    assert yaml.safe_load(forms.as_yaml(one, model="by name"))["model"] == "by name"


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "tpo", "reward", "rloo", "grpo"])
def test_form_filled_from_a_recipe_means_that_recipe(kind):
    recipe = plugins.load("jobs", kind).Recipe
    needed = {"reward": "overlap"} if "reward" in recipe.model_fields else {}
    one = recipe(model="m", dataset="d", max_steps=7, trl={"warmup_steps": 3}, **needed)
    assert forms.read(recipe, forms.filled(one)) == one


def trackers(monkeypatch, found):
    monkeypatch.setitem(forms.INSTALLED, "trackers", lambda: found)
    return built(plugins.load("jobs", "sft").Recipe)["trackers"]


def test_trackers_that_are_installed_can_be_ticked_and_come_back():
    recipe = plugins.load("jobs", "sft").Recipe
    box = built(recipe)["trackers"]
    assert isinstance(box, gr.Dropdown)
    assert ("tensorboard", "tensorboard") in box.choices
    one = recipe(model="m", dataset="d", trackers=box.preprocess(["tensorboard"]))
    assert forms.read(recipe, forms.filled(one)) == one
    assert yaml.safe_load(forms.as_yaml(one))["trackers"] == ["tensorboard"]


def test_tracker_field_without_a_tracker_says_so(monkeypatch):
    box = trackers(monkeypatch, [])
    assert not box.interactive
    assert "none of them is installed here (tensorboard or mlflow" in box.info


def test_form_filled_from_a_run_leaves_out_a_tracker_that_is_gone(monkeypatch):
    trackers(monkeypatch, ["tensorboard"])
    assert forms.filled(sft(trackers=["tensorboard", "gone"]))["trackers"] == ["tensorboard"]
