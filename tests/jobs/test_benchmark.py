"""Public benchmarks: the harness's scores are those of the model, with interval and version."""

import json
import sys

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.core.job_context import Cancelled
from engine.jobs.benchmark import files, names, tasks
from tests.jobs import harness_tasks
from tests.jobs.harness_tasks import QUESTIONS
from tests.methods.fake_context import BASE, MemoryContext, chats

needs_harness = pytest.mark.skipif(
    not names.installed(), reason="lm-evaluation-harness is missing: install tuneloop[harness]"
)
job = plugins.load("jobs", "benchmark")


def letters(folder, *more):
    return files.copy_tasks(folder / "cache", harness_tasks.folder(folder / "mine")), (
        "letters",
        *more,
    )


def recipe(task_files=None, wanted=("letters",), **values):
    given = {"models": (BASE,), "tasks": wanted, "task_files": task_files, "batch_size": 5}
    return job.Recipe.model_validate({**given, **values})


@pytest.fixture
def ctx(tiny_model, tmp_path):
    return MemoryContext(tmp_path, tiny_model, chats(1))


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    """A LoRA adapter of random weights, large enough to change what the model prefers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        config = LoraConfig(
            task_type="CAUSAL_LM", r=8, target_modules="all-linear", init_lora_weights=False,
            lora_alpha=64,
        )  # fmt: skip
        get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), config).save_pretrained(
            folder
        )
    return folder


def chosen_by_hand(model, tokenizer):
    """The answer that the model finds most likely to each question, by its own log-softmax."""
    import torch

    found = []
    for row in QUESTIONS:
        context = tokenizer(f"{row['question']}\nAnswer:").input_ids
        sums = []
        for choice in row["choices"]:
            ids = context + tokenizer(choice).input_ids
            with torch.no_grad():
                logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            sums.append(sum(float(logs[n - 1, ids[n]]) for n in range(len(context), len(ids))))
        found.append(sums.index(max(sums)))
    return found


def shares(choices):
    return [float(choice == row["answer"]) for choice, row in zip(choices, QUESTIONS, strict=True)]


@needs_harness
@pytest.mark.train
def test_score_is_what_the_model_prefers_and_an_adapter_changes_it(
    ctx, tiny_model, adapter, tmp_path
):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ctx.add("tuned", adapter)
    task_files, wanted = letters(tmp_path)
    result = job.run(recipe(task_files, wanted, models=(BASE, "tuned")), ctx).result
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    base = shares(chosen_by_hand(model, tokenizer))
    tuned = shares(chosen_by_hand(PeftModel.from_pretrained(model, adapter), tokenizer))
    assert base != tuned
    for model_id, each in ((BASE, base), ("tuned", tuned)):
        [score] = result.scores[model_id]
        mean = sum(each) / 12
        stderr = (mean * (1 - mean) / 11) ** 0.5
        assert score.score == pytest.approx(mean)
        assert score.stderr == pytest.approx(stderr)
        assert score.high == pytest.approx(min(1, mean + 1.959964 * stderr))
        assert (score.n, score.of, score.version) == (12, 12, "1.5")
    [gain] = result.gains["tuned"].values()
    assert (gain.n, gain.diff) == (12, pytest.approx((sum(tuned) - sum(base)) / 12))
    assert "on 12 questions" in gain.sentence
    assert "row" not in gain.sentence.replace("too few rows to tell", "")
    assert result.lm_eval == names.release()


@needs_harness
def test_text_is_written_to_its_end_and_compared(ctx, tmp_path):
    task_files, _ = letters(tmp_path)
    result = job.run(recipe(task_files, ("writing",), limit=4), ctx).result
    [score] = result.scores[BASE]
    assert (score.metric, score.score, score.n, score.of) == ("exact_match", 0, 4, 12)
    # no answer was right, which does not prove that none can be
    assert (score.low, score.high) == (0, pytest.approx(0.4899, abs=1e-4))
    assert json.dumps(result.model_dump(mode="json"))


@needs_harness
def test_progress_counts_questions_of_all_tasks_and_models_up_to_all_of_them(ctx, tmp_path):
    task_files, wanted = letters(tmp_path, "writing")
    job.run(recipe(task_files, wanted, limit=6, models=(BASE, BASE)), ctx)
    said = [event.data for event in ctx.events if event.kind == "progress"]
    done = [each["done"] for each in said]
    assert done == sorted(done)
    assert (done[-1], said[-1]["total"]) == (24, 24)
    assert all(each["eta_s"] >= 0 for each in said)


@needs_harness
@pytest.mark.parametrize("wanted", ["letters", "writing"])
def test_benchmark_stops_between_batches(tiny_model, tmp_path, wanted):
    ctx = MemoryContext(tmp_path, tiny_model, chats(1), cancel_after=1)
    task_files, _ = letters(tmp_path)
    with pytest.raises(Cancelled):
        job.run(recipe(task_files, (wanted,)), ctx)
    assert sum(event.kind == "progress" for event in ctx.events) == 1


@needs_harness
def test_benchmark_stops_while_an_answer_is_written(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, chats(1))
    heard = []

    def check():
        heard.append(1)
        if len(heard) == 4:  # before the model, at the request, and at a second token
            raise Cancelled

    ctx.check = check
    task_files, _ = letters(tmp_path)
    with pytest.raises(Cancelled):
        job.run(recipe(task_files, ("writing",)), ctx)
    assert not any(event.kind == "progress" for event in ctx.events)


@needs_harness
def test_task_that_does_not_exist_is_refused_with_those_most_like_it(ctx):
    with pytest.raises(UserError, match=r"no benchmark 'helaswag'.*hellaswag"):
        job.run(recipe(wanted=("helaswag",)), ctx)


@needs_harness
def test_benchmark_task_name_may_not_be_a_path(ctx, tmp_path):
    path = str(harness_tasks.folder(tmp_path) / "letters.yaml")
    with pytest.raises(UserError, match="no benchmark"):
        job.run(recipe(wanted=(path,)), ctx)
    with pytest.raises(ValueError, match="task_files"):
        recipe(str(tmp_path))


@needs_harness
def test_questions_that_cannot_be_reached_are_one_sentence(ctx):
    with pytest.raises(UserError, match="questions of hellaswag can't be reached"):
        job.run(recipe(wanted=("hellaswag",)), ctx)


@needs_harness
def test_task_that_runs_what_a_model_writes_is_refused(ctx, tmp_path):
    mine = harness_tasks.folder(tmp_path / "mine")
    text = (mine / "writing.yaml").read_text()
    (mine / "writing.yaml").write_text(text + "unsafe_code: true\n")
    with pytest.raises(UserError, match="runs the programs that a model writes"):
        job.run(recipe(files.copy_tasks(ctx.cache, mine), ("writing",)), ctx)


@needs_harness
def test_benchmark_task_file_that_is_broken_is_one_sentence(ctx, tmp_path):
    mine = harness_tasks.folder(tmp_path / "mine")
    text = (mine / "letters.yaml").read_text()
    (mine / "letters.yaml").write_text(text.replace("test_split: test", "test_split: exam"))
    with pytest.raises(UserError, match="letters can't be loaded"):
        job.run(recipe(files.copy_tasks(ctx.cache, mine)), ctx)


@needs_harness
def test_task_names_the_missing_program(ctx, tmp_path):
    mine = harness_tasks.folder(tmp_path / "mine")
    (mine / "own.py").write_text("import no_such_module\n\ndef prepare(rows):\n    return rows\n")
    with (mine / "letters.yaml").open("a") as file:
        file.write("process_docs: !function own.prepare\n")
    with pytest.raises(UserError, match="letters needs the Python module no_such_module"):
        job.run(recipe(files.copy_tasks(ctx.cache, mine)), ctx)


def test_task_files_that_changed_since_they_were_brought_are_refused(tmp_path):
    digest = files.copy_tasks(tmp_path / "cache", harness_tasks.folder(tmp_path / "mine"))
    kept = files.folder(tmp_path / "cache", digest)
    assert {path.name for path in kept.iterdir()} == {"letters.yaml", "writing.yaml"}
    (kept / "letters.yaml").write_text("task: another\n")
    with pytest.raises(UserError, match="not in the data folder any more"):
        files.folder(tmp_path / "cache", digest)


def test_benchmark_without_its_extra_says_what_to_install(ctx, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    assert names.known() == {}
    with pytest.raises(UserError, match=r"not installed here.*tuneloop\[harness\]"):
        job.run(recipe(), ctx)


@needs_harness
@pytest.mark.train
def test_names_read_from_the_files_are_those_of_the_harness():
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    read = names.known()
    assert set(manager.all_subtasks) == {n for n, one in read.items() if one.kind == "task"}
    assert set(manager.all_groups) == {n for n, one in read.items() if one.kind == "group"}
    assert names.search("arc easy")[0] == "arc_easy"


@needs_harness
def test_benchmark_group_asks_all_of_its_tasks_once(ctx, tmp_path):
    mine = harness_tasks.folder(tmp_path / "mine")
    with pytest.raises(UserError, match="letters, which is asked already"):
        tasks.load(("letters", "both"), _grouped(mine), 3, None, 1)
    found = tasks.load(("both",), mine, 3, None, 1)
    assert (set(found.loaded["tasks"]), found.questions) == ({"letters", "writing"}, 6)


def _grouped(mine):
    (mine / "both.yaml").write_text("group: both\ntask: [letters, writing]\n")
    return mine
