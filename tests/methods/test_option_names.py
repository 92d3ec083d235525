"""Names of TRL's and PEFT's options, read without importing either, and who is refused by them."""

import json
import subprocess
import sys
from dataclasses import fields
from importlib import import_module

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.jobs import learning_curve, sweep
from engine.methods import option_names
from engine.orchestrate import auto_loop_job, demo_job

TRAININGS = [name for name in plugins.BUILT_IN["jobs"] if plugins.load("jobs", name).Recipe.TRAINS]
PLACE = {"model": "m", "dataset": "d"}
UNKNOWN = {"trl": {"learning_rates": 1}}


def check_nested(recipe: Recipe) -> None:
    trainings = recipe.nested_trainings()
    assert trainings
    for training in trainings:
        option_names.check_before_start(training)


@pytest.mark.parametrize(
    "config",
    [option_names.LORA, *(plugins.load("jobs", name).Recipe.CONFIG for name in TRAININGS)],
)
def test_names_in_the_source_are_those_of_the_class(config):
    module, _, name = config.rpartition(".")
    wanted = {field.name for field in fields(getattr(import_module(module), name)) if field.init}
    assert option_names.names(config) == wanted
    assert len(wanted) > 20


def test_nothing_heavy_is_imported_to_read_them():
    code = (
        "import json, sys; from engine.methods import option_names; from engine.methods.dpo import"
        " Recipe; print(json.dumps([len(option_names.names(Recipe.CONFIG)),"
        " [m for m in ('torch', 'trl', 'peft', 'transformers') if m in sys.modules]]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, imported = json.loads(run.stdout)
    assert count > 100
    assert imported == []


@pytest.mark.parametrize("name", TRAININGS)
def test_unknown_option_is_refused_before_a_training_starts(name):
    recipe = plugins.load("jobs", name).Recipe
    place = {**PLACE, **({"reward": "r"} if "reward" in recipe.model_fields else {})}
    with pytest.raises(UserError, match=r"has no option 'learning_rates'\. Did you mean"):
        option_names.check_before_start(recipe(**place, **UNKNOWN))
    with pytest.raises(UserError, match="LoraConfig has no option 'rank'"):
        option_names.check_before_start(recipe(**place, lora={"rank": 8}))
    option_names.check_before_start(recipe(**place, trl={"warmup_steps": 3}, lora={"r": 4}))


@pytest.mark.parametrize(("option", "enumeration"), option_names.WORDS.items())
def test_words_in_the_source_are_those_of_the_class(option, enumeration):
    module, _, name = enumeration.rpartition(".")
    wanted = {each.value for each in getattr(import_module(module), name)}
    assert option_names.words(enumeration) == wanted
    sft = plugins.load("jobs", "sft").Recipe
    for word in wanted:
        option_names.check_before_start(sft(**PLACE, trl={option: word}))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"trl": {"optim": "adamw_torc"}}, "Did you mean 'adamw_torch'"),
        ({"trl": {"lr_scheduler_type": "x"}}, "lr_scheduler_type can't be 'x'"),
        ({"trl": {"adam_beta1": 1e20}}, "a number from 0 to below 1"),
        ({"trl": {"adam_beta2": float("inf")}}, "a number from 0 to below 1"),
        ({"lora": {"lora_dropout": 16}}, "a number from 0 to below 1"),
        ({"lora": {"lora_dropout": []}}, "a number from 0 to below 1"),
    ],
    ids=str,
)
def test_value_that_no_step_could_use_is_refused_before_a_training_starts(where, words):
    with pytest.raises(UserError, match=words):
        option_names.check_before_start(plugins.load("jobs", "sft").Recipe(**PLACE, **where))


def test_options_of_lora_count_only_where_there_is_an_adapter():
    sft = plugins.load("jobs", "sft").Recipe
    option_names.check_before_start(sft(**PLACE, tuning="full", lora={"rank": 8}))


@pytest.mark.parametrize(
    "study",
    [
        sweep.Recipe(**PLACE, settings=UNKNOWN),
        sweep.Recipe(**PLACE, space={"trl.learning_rates": {"low": 0.1, "high": 1}}),
        learning_curve.Recipe(**PLACE, settings=UNKNOWN),
        auto_loop_job.Recipe(**PLACE, dataset_test="t", dpo=UNKNOWN),
        demo_job.Recipe(model="m", sft=UNKNOWN),
        demo_job.Recipe(model="m", dpo=UNKNOWN),
    ],
    ids=["search", "space", "curve", "auto loop", "demo SFT", "demo DPO"],
)
def test_unknown_option_of_a_nested_training_is_refused(study: Recipe):
    with pytest.raises(UserError, match="has no option 'learning_rates'"):
        check_nested(study)


def test_unknown_setting_is_refused_in_a_loop_before_it_starts():
    with pytest.raises(UserError, match="betas"):
        demo_job.Recipe(model="m", dpo={"betas": 1}).nested_trainings()


def test_default_options_of_every_job_pass():
    check_nested(demo_job.Recipe(model="m"))
    check_nested(auto_loop_job.Recipe(**PLACE, dataset_test="t"))
    check_nested(sweep.Recipe(**PLACE))
    check_nested(learning_curve.Recipe(**PLACE))
