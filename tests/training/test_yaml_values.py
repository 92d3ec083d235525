"""The one YAML dialect of recipe files, boxes of options and --set."""

import pytest
import yaml

from engine.cli.training import values_of
from engine.core.yaml_values import read_yaml


def test_yaml_reads_a_rate_as_a_number_wherever_it_stands():
    assert read_yaml("lora: {alpha: 2e-4}") == {"lora": {"alpha": 2e-4}}
    assert read_yaml("name: e5") == {"name": "e5"}
    with pytest.raises(yaml.YAMLError):
        read_yaml("a: [")


@pytest.mark.parametrize(
    "value",
    ["2001-99-99", "9" * 5000, "[" * 5000, "!!bool x", "!!timestamp x", '!!int ""', "!!float x"],
    ids=["date", "digits", "deep", "bool", "time", "empty", "float"],
)
def test_yaml_that_cannot_be_read_is_always_the_same_error(value):
    with pytest.raises(yaml.YAMLError):
        read_yaml(f"a: {value}")


def test_recipe_file_and_its_changes_read_rates_as_numbers(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("kind: sft\ntrl: {weight_decay: 1e-2}\n")
    values = values_of(file, ("trl.adam_epsilon=1e-8",))
    assert values["trl"] == {"weight_decay": 0.01, "adam_epsilon": 1e-8}
