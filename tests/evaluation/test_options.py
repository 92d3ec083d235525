"""Options of evaluations, benchmarks and the playground: one recipe for form, command and file."""

from contextlib import nullcontext

import click
import gradio as gr
import pytest

from engine.cli import common
from engine.cli import evaluation as command_module
from engine.cli.app import cli
from engine.core.actor import LOCAL
from engine.core.job_outcome import Outcome
from engine.services import job_outcomes, registered_plugins
from engine.services.jobs import lifecycle
from engine.workspace import open_workspace
from tests import helpers
from tests.ui import results
from ui.components import forms
from ui.pages.evaluation import start

COMMANDS = {  # fields that a command spells in its own way
    "evaluate": (["evaluation", "run"], {"models": "wanted"}),
    "benchmark": (
        ["evaluation", "benchmark", "run"],
        {"models": "wanted", "task_files": "include_path"},
    ),
    "play": (["playground", "ask"], {"models": "wanted"}),
}


def command(path):
    found = cli
    for name in path:
        found = found.get_command(click.Context(found), name)
    return found


@pytest.mark.parametrize("kind", COMMANDS)
def test_command_has_an_option_for_every_field_of_the_recipe(kind):
    path, own = COMMANDS[kind]
    options = {each.name: each for each in command(path).params}
    for name, field in registered_plugins.recipe_fields(kind).items():
        option = options[own.get(name, name)]
        if isinstance(option.type, click.IntRange) and option.type.max is not None:
            assert option.type.max == forms.largest(field)


def test_form_takes_its_limits_from_the_recipe():
    with gr.Blocks():
        panel = start.build()
    fields = registered_plugins.recipe_fields("evaluate")
    assert panel.models.max_choices == forms.largest(fields["models"])
    assert panel.longest.maximum == forms.largest(fields["max_new_tokens"])
    assert panel.price.maximum == forms.largest(fields["usd_per_hour"])
    assert [name for _, name in start.EXTRAS] == ["baselines", "perplexity"]


def test_evaluation_recipe_file_and_options_are_one_recipe(tuneloop, tmp_path, monkeypatch):
    asked = []

    def submit(ws, actor, project_id, recipe, name=""):
        asked.append(recipe)
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "submit", submit)
    monkeypatch.setattr("engine.cli.evaluation.common.model_id", lambda ws, project, name: name)
    monkeypatch.setattr("engine.cli.training.common.dataset_id", lambda ws, project, name: name)
    ws = open_workspace()
    helpers.project(ws)
    ws.close()
    file = tmp_path / "evaluate.yaml"
    file.write_text("models: [base, tuned]\ndataset: faq\nmax_rows: 7\nbaselines: false\n")
    tuneloop("evaluation", "run", file, "--rows", "9", "--no-perplexity", "--metrics", "rouge")
    [recipe] = asked
    assert recipe.models == ("base", "tuned")
    assert recipe.metrics == ("rouge1", "rouge2", "rougeL")
    assert (recipe.max_rows, recipe.baselines, recipe.perplexity) == (9, False, False)


@pytest.mark.parametrize("given", [["--model", "base", "--model", "SFT one"], []])
def test_evaluation_prints_scores_by_the_names_of_options_or_file(
    tuneloop, tmp_path, monkeypatch, given
):
    ws = open_workspace()
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    tuned = results.adapter(ws, project, base, data)

    def finish(_seconds):
        [job] = lifecycle.list_all(ws, LOCAL, project, ("evaluate",))
        found = results.evaluation(data.id, base.id, tuned.id, {3: ("wrong", 0.1, "right 3", 1.0)})
        outcome = Outcome(result={"rows": 1}, evaluation=found)
        job_outcomes.store(ws, helpers.claimed(ws, job.id), outcome)

    monkeypatch.setattr(common.time, "sleep", finish)
    monkeypatch.setattr(command_module, "working", lambda _: nullcontext())
    file = tmp_path / "evaluate.yaml"
    models = "" if given else "models: [base, SFT one]\n"
    file.write_text(f"{models}dataset: {data.id}\nmetrics: [rougeL, exact_match]\n")
    code, out, err = tuneloop("evaluation", "run", file, *given, "--project", project)
    assert code == 0, err
    assert [line[:24].strip() for line in out.splitlines()] == ["base"] * 2 + ["SFT one"] * 4
    assert "Better: +0.20." in out
    ws.close()
