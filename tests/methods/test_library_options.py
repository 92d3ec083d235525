"""Options of TRL and PEFT are checked by name and by type."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from engine.core import recipe as recipes
from engine.core.errors import UserError
from engine.methods import dpo, library_options, sft, training

pytestmark = pytest.mark.train
STARTERS = Path(recipes.__file__).parents[1] / "recipes"


def settings(method, folder, **values):
    recipe = recipes.read(method.Recipe, {"model": "m", "dataset": "d", **values})
    import trl

    config_class = {"sft": trl.SFTConfig, "dpo": trl.DPOConfig}[recipe.KIND]
    return training.settings(config_class, recipe, folder)


def test_option_with_a_typing_error_is_refused_with_the_right_name(tmp_path):
    with pytest.raises(UserError, match=r"no option 'warmup_step'\. Did you mean 'warmup_steps'"):
        settings(sft, tmp_path, trl={"warmup_step": 3})
    with pytest.raises(UserError, match=r"no option 'lora_alfa'\. Did you mean 'lora_alpha'"):
        settings(sft, tmp_path, lora={"lora_alfa": 3})


def test_value_of_the_wrong_kind_is_refused_and_a_number_in_quotes_is_read(tmp_path):
    with pytest.raises(UserError, match="'weight_decay' is 'much'"):
        settings(sft, tmp_path, trl={"weight_decay": "much"})
    assert settings(sft, tmp_path, trl={"weight_decay": "1e-2"}).args.weight_decay == 0.01


def test_upstreams_own_refusal_is_passed_on(tmp_path):
    with pytest.raises(UserError, match="SFTConfig refuses"):
        settings(sft, tmp_path, trl={"lr_scheduler_type": "sideways"})


@pytest.mark.parametrize("name", ["beta", "max_steps", "learning_rate"])
def test_setting_of_our_own_cannot_be_set_again_under_trl(tmp_path, name):
    with pytest.raises(UserError, match=f"'{name}' is set under trl:"):
        settings(dpo, tmp_path, trl={name: 1})


def test_setting_of_our_own_cannot_be_set_under_lora(tmp_path):
    with pytest.raises(UserError, match="'seed' is set under lora:"):
        settings(sft, tmp_path, lora={"seed": 1})


def test_every_curated_name_exists_upstream():
    from trl import DPOConfig, SFTConfig

    for method, config_class in ((sft, SFTConfig), (dpo, DPOConfig)):
        names = training.curated(method.Recipe(model="m", dataset="d", max_steps=1)).keys()
        assert names <= {field.name for field in fields(config_class)}


def test_every_dpo_loss_but_our_own_exists_upstream():
    import inspect

    from trl import DPOTrainer

    source = inspect.getsource(DPOTrainer._compute_loss)
    upstream = {loss for loss in dpo.Loss.__args__ if f'loss_type == "{loss}"' in source}
    assert set(dpo.Loss.__args__) - upstream == {dpo.LISTWISE}


def test_other_losses_get_equal_weights_and_a_wrong_number_of_weights_is_refused(tmp_path):
    assert settings(dpo, tmp_path).args.loss_weights == [1.0, 0.2]
    assert settings(dpo, tmp_path, loss_type=["ipo"]).args.loss_weights is None
    with pytest.raises(UserError, match="2 loss_weights for 1 losses"):
        settings(dpo, tmp_path, loss_type=["ipo"], loss_weights=[1, 2])


@pytest.mark.parametrize("losses", [["sigmoid", "sft"], ["sft"], ["robust", "ipo"]])
def test_label_smoothing_is_refused_where_the_loss_ignores_it(losses):
    recipe = dpo.Recipe(model="m", dataset="d", loss_type=losses, trl={"label_smoothing": 0.1})
    with pytest.raises(UserError, match="label_smoothing has no effect"):
        dpo.prepare(recipe, None)


@pytest.mark.parametrize("method", [sft, dpo])
def test_starter_recipe_holds_the_defaults(method, tmp_path):
    values = yaml.safe_load((STARTERS / f"{method.Recipe.KIND}.yaml").read_text())
    assert values.pop("kind") == method.Recipe.KIND
    recipe = recipes.read(method.Recipe, values)
    place = {"model": values["model"], "dataset": values["dataset"]}
    assert recipe == method.Recipe(**place)
    assert library_options.build(type(settings(method, tmp_path).lora), recipe.lora).r == 16
