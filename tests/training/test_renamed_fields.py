"""Fields of trainings that had another name in 0.1.0: files, stored recipes and checkpoints."""

import pytest

from engine.core.errors import UserError
from engine.core.recipe import read
from engine.jobs import learning_curve, warmup
from engine.methods import checkpoint, sft

NEEDED = {"model": "m", "dataset": "d"}
# of sft.Recipe(model="m", dataset="d") in 0.1.0
HASH_OF_THEN = "9238ca2002244db69af086ce84decfbe41a924441c080d75607a632f2f4d9750"


def test_recipe_reads_evals_as_num_evals_and_writes_the_new_name():
    recipe = read(sft.Recipe, {**NEEDED, "evals": 3})
    assert recipe.num_evals == 3
    assert "evals" not in recipe.model_dump()


def test_recipe_refuses_both_names_of_a_field():
    with pytest.raises(UserError, match="no setting 'evals'"):
        read(sft.Recipe, {**NEEDED, "evals": 3, "num_evals": 4})


def test_study_reads_evals_among_its_settings():
    assert learning_curve.Recipe(**NEEDED, settings={"evals": 3}).training().num_evals == 3


def test_warmup_of_a_stored_recipe_measures_once():
    recipe = warmup.Recipe(method="sft", recipe={**NEEDED, "evals": 3})
    assert warmup.shortened(recipe).num_evals == 1


def test_checkpoint_of_0_1_0_still_belongs_to_its_run():
    assert checkpoint.origin(sft.Recipe(**NEEDED), []).config == HASH_OF_THEN
