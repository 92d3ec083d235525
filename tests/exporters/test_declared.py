"""What the module of a format declares, read by the job of an export and by the page."""

from types import SimpleNamespace

import pytest

from engine import plugins
from engine.exporters import merged
from engine.exporters.declared import options_of, runtime_of
from engine.jobs.export import Recipe
from engine.services import exports


@pytest.mark.parametrize("name", plugins.names("exporters"))
def test_format_has_a_program_that_is_there_and_options_of_the_recipe(name):
    exporter = plugins.load("exporters", name)
    assert runtime_of(exporter).program.is_file()
    assert set(options_of(exporter)) <= set(Recipe.model_fields)


def test_installed_format_may_name_a_program_of_a_built_in_one_and_have_no_options():
    installed = SimpleNamespace(RUNTIME="transformers")
    assert runtime_of(installed) is merged.RUNTIME
    assert options_of(installed) == ()


def test_page_gets_the_options_of_each_format_from_its_module():
    known = {each.name: each.options for each in exports.formats()}
    assert (known["gguf"], known["ollama"]) == (("quantisation",), ("quantisation",))
    assert (known["merged"], known["cog"]) == (("precision",), ("precision",))
    assert (known["hub"], known["adapter"]) == (("repository", "private"), ())


def test_recipe_names_every_format():
    described = Recipe.model_fields["to"].description
    assert all(name in described for name in plugins.names("exporters"))
