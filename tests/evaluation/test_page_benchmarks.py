"""The panel of public benchmarks: what it offers, starts and shows."""

import sys

import gradio as gr
import pytest
from huggingface_hub import ModelCard

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.jobs.benchmark import names
from engine.services import job_outcomes, model_card
from engine.services.evaluation import benchmarks as service
from engine.services.jobs import lifecycle
from tests import helpers
from tests.ui import results
from ui.pages.evaluation import benchmarks
from ui.pages.evaluation.benchmarks import BenchmarkView
from ui.pages.jobs import render

needs_harness = pytest.mark.skipif(
    not names.installed(), reason="lm-evaluation-harness is missing: install tuneloop[harness]"
)


@pytest.fixture
def world(ws, tmp_path):
    """A project with a base and an adapter of it: project id, base id, adapter id."""
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    return project, base.id, results.adapter(ws, project, base, data).id


def score(value, **more):
    given = {
        "task": "arc_easy", "metric": "acc", "filter": "none", "score": value, "stderr": 0.05,
        "low": value - 0.098, "high": value + 0.098, "n": 100, "of": 2376, "version": "1.0",
        "num_fewshot": 5,
    }  # fmt: skip
    return {**given, **more}


def measured(ws, world, tuned=0.42, **more):
    """A benchmark of both models that is done."""
    project, base, new = world
    given = {"models": (base, new), "tasks": ("arc_easy",), "seed": len(more)}
    job = helpers.claimed(ws, results.submit(ws, project, "benchmark", "arc_easy", **given).id)
    gain = {
        "diff": tuned - 0.3,
        "low": 0.01,
        "high": 0.2,
        "p": 0.01,
        "n": 100,
        "sentence": "Better: x.",
    }
    result = {
        "lm_eval": "0.4.13",
        "sentence": "base: arc_easy acc 0.300.",
        "models": [base, new],
        "scores": {base: [score(0.3, **more)], new: [score(tuned, **more)]},
        "gains": {new: {"arc_easy|acc|none": gain}},
    }
    job_outcomes.store(ws, job, Outcome(result=result))
    return lifecycle.get(ws, LOCAL, job.id)


@needs_harness
def test_usual_benchmarks_and_both_models_are_offered_at_first(ws, world):
    project, base, new = world
    models, tasks = benchmarks.choices(ws, project, [], ["piqa"])
    assert models.value == [base, new]
    assert tasks.value == ["piqa"]
    assert {"hellaswag", "arc_easy", "mmlu"} <= {value for _, value in tasks.choices}


@needs_harness
def test_benchmark_search_results_follow_the_chosen_tasks():
    offered = benchmarks.offered_tasks("arc chall", ["piqa"])
    assert [value for _, value in offered.choices][:2] == ["piqa", "arc_challenge"]


@needs_harness
def test_panel_starts_a_benchmark_of_public_tasks_only(ws, world):
    project, base, new = world
    job = benchmarks.start(ws, project, [base, new], ["arc_easy"], 20.0, "", True)
    assert (job.kind, job.name, job.state) == ("benchmark", "arc_easy", State.QUEUED)
    wanted = {"tasks": ["arc_easy"], "limit": 20, "num_fewshot": None, "task_files": None}
    assert wanted.items() <= job.recipe.items()
    for tasks in (["/etc/letters.yaml"], [{"task": "x"}], [], ["arc_eazy"]):
        with pytest.raises(UserError):
            benchmarks.start(ws, project, [base], tasks, 20, "", False)
    assert len(lifecycle.list_all(ws, LOCAL, project, ("benchmark",))) == 1
    job = benchmarks.start(ws, project, [base], ["arc_easy"], 0, "0", False)
    assert (job.recipe["num_fewshot"], job.recipe["limit"]) == (0, None)


def test_benchmark_panel_without_its_extra_is_disabled_and_says_why(ws, world, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    assert "pip install 'tuneloop[harness]'" in service.missing()
    with pytest.raises(UserError, match="not installed here"):
        benchmarks.start(ws, world[0], [world[1]], ["arc_easy"], 20, None, False)
    import gradio as gr

    with gr.Blocks():
        panel = benchmarks._components(usable=not service.missing())
    assert not any(one.interactive for one in (panel.models, panel.tasks, panel.find, panel.go))


def test_base_and_tuned_stand_side_by_side_with_intervals_and_the_difference(ws, world):
    job = measured(ws, world)
    html = benchmarks.shown(ws, world[0], job.id)
    assert html.index("0.300") < html.index("0.420")
    assert "0.322 to 0.518" in html
    assert "+0.120 (+0.010 to +0.200)" in html
    assert ">better<" in html
    assert "100 of 2,376" in html
    assert "acc, 5 examples, version 1.0" in html


def test_benchmark_list_shows_the_score_of_each_run(ws, world):
    job = measured(ws, world)
    assert render.outcome(job) == job.result.sentence


def test_names_of_tasks_come_out_as_text(ws, world):
    html = benchmarks.shown(ws, world[0], measured(ws, world, task="<img src=x>").id)
    assert "<img" not in html


def test_benchmark_refresh_without_news_sends_nothing(ws, world):
    seen, _, which, html = benchmarks.poll(ws, world[0], BenchmarkView(), None)
    assert (which.visible, html) == (False, "")
    measured(ws, world)
    seen, _, which, html = benchmarks.poll(ws, world[0], seen, None)
    assert (len(which.choices), "0.420" in html) == (1, True)
    again = benchmarks.poll(ws, world[0], seen, which.value)
    assert again == [gr.skip()] * 4


def test_new_result_is_shown_and_the_earlier_one_can_be_chosen(ws, world):
    first = measured(ws, world)
    seen, *_ = benchmarks.poll(ws, world[0], BenchmarkView(), None)
    second = measured(ws, world, tuned=0.5, alias="later")
    _, _, which, html = benchmarks.poll(ws, world[0], seen, first.id)
    assert (which.value, which.visible) == (second.id, True)
    assert "0.500" in html
    assert "0.420" in benchmarks.shown(ws, world[0], first.id)


def test_benchmark_page_shows_why_the_last_run_failed(ws, world):
    project, base, _ = world
    job = results.submit(ws, project, "benchmark", models=(base,), tasks=("arc_easy",))
    job = helpers.claimed(ws, job.id)
    job_outcomes.end(ws, job.id, job.fence, State.FAILED, "The questions can't be reached.")
    assert (
        "The questions can&#x27;t be reached."
        in benchmarks.poll(ws, project, BenchmarkView(), None)[1]
    )


def test_newest_score_of_each_task_is_that_of_the_model(ws, world):
    measured(ws, world)
    measured(ws, world, tuned=0.5, num_fewshot=0)
    [one] = service.of_model(ws, LOCAL, world[0], world[2])
    assert (one.score, one.num_fewshot) == (0.5, 0)


def test_model_card_has_the_benchmarks_as_metadata_and_as_a_table(ws, world):
    measured(ws, world)
    text = model_card.model_card(ws, LOCAL, world[2])
    [one] = ModelCard(text, ignore_metadata_errors=False).data.eval_results
    assert (one.dataset_type, one.metric_type, one.metric_value) == ("arc_easy", "acc", 0.42)
    assert one.dataset_args == {"num_fewshot": 5, "questions": 100, "of": 2376}
    assert one.source_name == "lm-evaluation-harness"
    assert "| arc_easy | acc | 0.420 | 0.322 to 0.518 | 100 of 2,376 | 5 |" in text
