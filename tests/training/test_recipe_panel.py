"""A configuration of another program fills the form of the Training page."""

import gradio as gr
import pytest

from engine.core.actor import Actor, Role
from engine.core.errors import Forbidden, UserError
from engine.services.training import methods as training_methods
from tests.training.test_page import Page_
from ui.pages.training import form as layout
from ui.pages.training import recipe_panel

AXOLOTL = """
base_model: makers/base
adapter: qlora
load_in_4bit: true
lora_r: 32
num_epochs: 2
learning_rate: 2e-4
strict: false
"<b>odd</b>": 1
"""
TRL = "learning_rate: 1.0e-5\nmax_length: 512\nreport_to: none\n"


@pytest.fixture(scope="module")
def forms():
    """The form of each method, as the page builds it."""
    with gr.Blocks():
        known = training_methods.known().items()
        return [layout.build(Page_(), kind, recipe) for kind, recipe in known]


def written(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return str(path)


def filled(found, forms, kind):
    """The fields of a form that a file changes, by name."""
    updates = iter(recipe_panel.fills(found, forms))
    by_form = {form.kind: {name: next(updates) for name in form.names} for form in forms}
    skipped = gr.skip()
    return {name: value for name, value in by_form[kind].items() if value != skipped}


def test_file_fills_the_form_of_its_method_but_not_model_and_data(ws, tmp_path, forms):
    found = recipe_panel.read(ws, written(tmp_path, AXOLOTL), "", "")
    given = filled(found, forms, "sft")
    assert given["tuning"] == "qlora"
    assert given["num_train_epochs"] == 2
    assert "r: 32" in given["lora"]
    assert not {"model", "dataset"} & set(given)
    assert filled(found, forms, "dpo") == {}


def test_report_names_every_key_without_an_equal(ws, tmp_path):
    shown = recipe_panel.report(recipe_panel.read(ws, written(tmp_path, AXOLOTL), "", ""))
    assert "<code>strict</code>" in shown
    assert "&lt;b&gt;odd" in shown
    assert "names the base makers/base" in shown


def test_file_of_trl_takes_the_method_that_is_chosen(ws, tmp_path, forms):
    path = written(tmp_path, TRL)
    with pytest.raises(UserError, match="Name the program"):
        recipe_panel.read(ws, path, "", "")
    assert recipe_panel.read(ws, path, "trl", "").recipe["kind"] == "sft"
    given = filled(recipe_panel.read(ws, path, "trl", "dpo"), forms, "dpo")
    assert given["learning_rate"] == pytest.approx(1e-5)
    assert given["max_length"] == 512


def test_rater_reads_no_file(ws, tmp_path, monkeypatch):
    rater = Actor(name="rae", role=Role.RATER)
    monkeypatch.setattr(recipe_panel, "who", lambda _ws: rater)
    with pytest.raises(Forbidden):
        recipe_panel.read(ws, written(tmp_path, AXOLOTL), "", "")
