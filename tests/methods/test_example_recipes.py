"""The recipe files that people copy: each states the defaults of its method and nothing else."""

from pathlib import Path

import pytest
import yaml

from engine import plugins
from engine.core import recipe as recipes

EXAMPLES = sorted((Path(recipes.__file__).parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_recipe_states_the_defaults_of_its_method(path):
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    kind = plugins.load("jobs", values.pop("kind")).Recipe
    assert path.stem == kind.KIND
    assert len(values) > 6
    needed = {name: values[name] for name, each in kind.model_fields.items() if each.is_required()}
    stated, default = (recipes.read(kind, given) for given in (values, needed))
    differing = {
        name: (getattr(stated, name), getattr(default, name))
        for name in values
        if getattr(stated, name) != getattr(default, name)
    }
    assert not differing
