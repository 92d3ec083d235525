"""The Train tab: which models and data fit, what a training will take, and its start."""

import json

import gradio as gr
import pytest
import yaml

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.outcome import NewModel, Outcome
from engine.services import datasets, jobs, models, outcomes
from tests import helpers
from ui import forms
from ui.tabs import train

SFT, DPO = train.methods()["sft"], train.methods()["dpo"]


def pairs(ws, project_id, folder):
    path = folder / "votes.jsonl"
    rows = [{"prompt": f"why {n}?", "chosen": "because", "rejected": "no"} for n in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, project_id, path, path.name)


def trained(ws, project_id, model, dataset, kind="sft", name="A run"):
    """An adapter as a finished job leaves it."""
    values = {"model": model.id, "dataset": dataset.id, "evaluate_after": False}
    recipe = train.methods()[kind](**values)
    job = jobs.submit(ws, LOCAL, project_id, recipe, name)
    new = NewModel(
        name=f"{kind}-{job.id[-4:]}",
        path="adapter",
        base_id=model.base_id or model.id,
        parent_id=model.id if model.kind == "adapter" else None,
        dataset_id=dataset.id,
        info={"method": kind},
    )
    outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(model=new))
    return models.list_all(ws, LOCAL, project_id)[-1]


@pytest.fixture
def project(ws):
    return helpers.project(ws, "Help desk")


@pytest.fixture
def base(ws, tmp_path):
    return helpers.model(ws, tmp_path)


@pytest.fixture
def faq(ws, project, tmp_path):
    return helpers.dataset(ws, project.id, tmp_path, rows=40)


def ids(dropdown):
    return [value for _, value in dropdown.choices]


def test_the_methods_are_those_jobs_that_train():
    assert list(train.methods())[:2] == ["sft", "dpo"]
    assert "evaluate" not in train.methods()


def test_every_method_has_a_card_in_plain_words():
    html = train.method_cards(train.methods(), "sft")
    assert "Teach by example" in html
    assert "Teach by preference" in html
    assert html.count('aria-pressed="true"') == 1


def test_teaching_by_example_starts_from_the_base_and_the_newest_examples(
    ws, project, base, faq, tmp_path
):
    pairs(ws, project.id, tmp_path)
    model, dataset, empty, filled = train.choices(ws, project.id, "sft", None, None)
    assert (model.value, dataset.value) == (base.id, faq.id)
    assert ids(dataset) == [faq.id]
    assert filled.visible and not empty.visible  # noqa: PT018


def test_teaching_by_preference_goes_on_from_the_newest_model_taught_by_example(
    ws, project, base, faq, tmp_path
):
    votes = pairs(ws, project.id, tmp_path)
    sft = trained(ws, project.id, base, faq)
    dpo = trained(ws, project.id, sft, votes, "dpo")
    model, dataset, *_ = train.choices(ws, project.id, "dpo", None, None)
    assert ids(model) == [sft.id, dpo.id, base.id]
    assert (model.value, dataset.value) == (sft.id, votes.id)


def test_without_pairs_preference_training_sends_people_to_rate(ws, project, base, faq):
    *_, empty, filled = train.choices(ws, project.id, "dpo", None, None)
    assert empty.visible and not filled.visible  # noqa: PT018
    assert train.MISSING["dpo"][2] == "rate"


def test_what_was_chosen_stays_chosen_while_it_is_there(ws, project, base, faq, tmp_path):
    older = faq.id
    newer = datasets.add(
        ws, LOCAL, project.id, helpers.chat_file(tmp_path, 20, "new.jsonl"), "new.jsonl"
    )
    assert train.choices(ws, project.id, "sft", None, None)[1].value == newer.id
    assert train.choices(ws, project.id, "sft", base.id, older)[1].value == older
    assert train.choices(ws, project.id, "sft", "gone", "gone")[1].value == newer.id


def test_without_a_project_there_is_nothing_to_choose(ws):
    model, dataset, empty, filled = train.choices(ws, None, "sft", None, None)
    assert (model.value, dataset.value) == (None, None)
    assert empty.visible and not filled.visible  # noqa: PT018


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, 8),  # 30 rows in batches of 8: 4 steps, twice
        ({"num_train_epochs": 1.5}, 6),
        ({"per_device_train_batch_size": 30}, 2),
        ({"max_steps": 5}, 5),
        ({"trl": {"gradient_accumulation_steps": 4}}, 2),
    ],
)
def test_steps_are_counted_as_the_trainer_counts_them(ws, base, faq, settings, steps):
    recipe = SFT(model=base.id, dataset=faq.id, **settings)
    found = train.plan(ws, recipe)
    assert (found.rows, found.steps, found.held_out) == (30, steps, 10)


def test_the_plan_warns_of_what_people_trip_over(ws, project, base, faq, tmp_path):
    path = helpers.chat_file(tmp_path, 10, "all.jsonl")
    unsplit = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.0)
    adapter = trained(ws, project.id, base, faq)
    notes = " ".join(train.plan(ws, SFT(model=adapter.id, dataset=unsplit.id)).notes)
    assert "LoRA options have no effect" in notes
    assert "Nothing is held out" in notes
    assert train.plan(ws, SFT(model=base.id, dataset=faq.id)).notes == ()


def test_the_estimate_comes_with_the_file_and_the_command_that_do_the_same(ws, project, base, faq):
    html, text, command = train.estimate(ws, project.id, SFT(model=base.id, dataset=faq.id))
    assert ">30<" in html
    assert yaml.safe_load(text)["dataset"] == "faq@1"
    assert yaml.safe_load(text)["model"] == "base"
    assert command == "tuneloop train recipe.yaml --project 'Help desk'"


def test_starting_queues_the_job_with_the_values_of_the_form(ws, project, base, faq):
    values = {"model": base.id, "dataset": faq.id, "num_train_epochs": 1, "lora": "r: 4"}
    job = train.start(ws, project.id, SFT, values, "  First try ")
    assert (job.kind, job.name) == ("sft", "First try")
    assert job.recipe["lora"] == {"r": 4}
    assert jobs.list_all(ws, LOCAL, project.id)[0].id == job.id


def test_a_run_without_a_name_is_called_after_its_data(ws, project, base, faq):
    job = train.start(ws, project.id, SFT, {"model": base.id, "dataset": faq.id}, " ")
    assert job.name == "SFT on faq@1"


def test_a_wrong_field_stops_the_start_and_is_named(ws, project, base, faq):
    values = {"model": base.id, "dataset": faq.id, "learning_rate": 3}
    with pytest.raises(UserError, match="learning_rate"):
        train.start(ws, project.id, SFT, values, "")
    with pytest.raises(UserError, match="LoRA options: line 1 is not YAML"):
        train.start(ws, project.id, SFT, {**values, "learning_rate": 1e-4, "lora": "r: ["}, "")
    assert jobs.list_all(ws, LOCAL, project.id) == []


def test_starting_needs_a_project(ws, base, faq):
    with pytest.raises(UserError, match="No project is open"):
        train.start(ws, None, SFT, {"model": base.id, "dataset": faq.id}, "")


def test_every_field_of_a_method_is_in_its_form():
    for recipe in (SFT, DPO):
        with gr.Blocks():
            fields = [
                *forms.build(recipe, only=train.ESSENTIAL),
                *train._more(recipe),
            ]
        assert {field.elem_id for field in fields} == {
            f"{recipe.KIND}-{name}" for name in recipe.model_fields
        }
