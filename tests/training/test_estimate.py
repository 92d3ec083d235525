"""Before a run: what it takes and whether it fits. After it: what was said beside what was."""

import json
import shutil
import time

import pytest

from engine import child, plugins
from engine.advice import machine
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, UserError
from engine.core.job import State
from engine.core.recipe import LORA_RANK
from engine.jobs import warmup
from engine.methods import dpo, sft
from engine.services.data import datasets, token_lengths
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.training import estimate, history
from engine.store import estimates
from engine.store import jobs as job_store
from engine.store.connect import reading, writing
from tests import helpers
from tests.cpu import cpu_seconds_below
from ui.pages.training import estimate as view

GB = 10**9


@pytest.fixture
def world(ws, tiny_model, tmp_path):
    """A project with a dataset and a tiny model that can be trained."""
    one = helpers.project(ws)
    data = helpers.dataset(ws, one.id, tmp_path)
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    return one.id, sft.Recipe(model=base.id, dataset=data.id)


def ran(ws, project_id, recipe, seconds, tokens_per_s, **result):
    """A finished run that took so long."""
    job = estimate.submit(ws, LOCAL, project_id, recipe, name=f"run {time.time()}")
    helpers.claimed(ws, job.id)
    now = time.time()
    found = {"steps": 8, "tokens": 1600, "seconds": seconds - 2, "tokens_per_s": tokens_per_s}
    with writing(ws.db) as conn:
        job_store.finish(
            conn, job.id, 1, State.DONE, now + seconds, result=json.dumps({**found, **result})
        )
    return job


def test_estimate_names_time_memory_and_where_it_comes_from(ws, world):
    found = estimate.estimate(ws, LOCAL, *world, usd_per_hour=3.6)
    assert found.verdict == "ok"
    assert found.memory_needed == sum(found.memory.values())
    assert found.seconds.low < found.seconds.likely < found.seconds.high
    assert found.usd.likely == pytest.approx(found.seconds.likely / 1000)
    assert "guess" in found.basis
    assert found.steps == 2 * 4  # 30 rows in batches of 8, twice
    assert {"per_device_train_batch_size", "max_length", "tuning"} <= set(found.settings)


def test_second_estimate_reads_no_row_and_measures_no_machine_again(ws, world, monkeypatch):
    first = estimate.estimate(ws, LOCAL, *world)

    def read_again(*_):
        raise AssertionError("a person waits for this")

    monkeypatch.setattr(token_lengths.Template, "load", read_again)
    monkeypatch.setattr(token_lengths.Template, "encode", read_again)
    monkeypatch.setattr(estimate.np, "ones", read_again)
    recipe = world[1].model_copy(update={"max_length": 16})
    with cpu_seconds_below(1):
        second = estimate.estimate(ws, LOCAL, world[0], recipe)
    assert second.seconds.likely < first.seconds.likely


def test_shorter_rows_and_fewer_steps_take_less(ws, world):
    whole = estimate.estimate(ws, LOCAL, *world)
    project_id, recipe = world
    short = estimate.estimate(ws, LOCAL, project_id, recipe.model_copy(update={"max_length": 16}))
    few = estimate.estimate(ws, LOCAL, project_id, recipe.model_copy(update={"max_steps": 1}))
    assert short.memory_needed < whole.memory_needed
    assert few.seconds.likely < whole.seconds.likely
    once = recipe.model_copy(update={"max_steps": 1, "num_evals": 1})
    assert estimate.estimate(ws, LOCAL, project_id, once).seconds == few.seconds  # one step each
    assert "fit whole" in short.settings["max_length"]


def test_finished_run_tells_how_fast_the_next_one_is(ws, world):
    ran(ws, *world, seconds=100, tokens_per_s=50.0)
    found = estimate.estimate(ws, LOCAL, *world)
    assert "1 earlier run" in found.basis
    assert found.source == "runs"
    assert found.seconds.low < found.seconds.high


def test_estimates_learn_from_how_long_runs_took(ws, world):
    ran(ws, *world, seconds=100, tokens_per_s=1e6)
    first = estimate.estimate(ws, LOCAL, *world)
    ran(ws, *world, seconds=3 * first.uncorrected_s, tokens_per_s=1e6)
    second = estimate.estimate(ws, LOCAL, *world)
    assert second.seconds.likely / second.uncorrected_s == pytest.approx(3, rel=0.05)


def too_large(ws, tiny_model, folder):
    """A model whose training in full needs three times what this machine has, by its config."""
    per_layer = 2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336
    shape = {
        "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 32000,
        "num_hidden_layers": 3 * machine.here().usable // (16 * per_layer) + 1,
    }  # fmt: skip
    ignored = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(tiny_model, folder / "large", ignore=ignored)
    (folder / "large" / "config.json").write_text(json.dumps(shape))
    return registry.add_base(ws, LOCAL, "large", folder / "large", "folder")


def test_training_that_cannot_fit_is_refused_with_numbers_and_a_proposal(
    ws, world, tiny_model, tmp_path
):
    project_id, recipe = world
    model = too_large(ws, tiny_model, tmp_path)
    recipe = sft.Recipe(model=model.id, dataset=recipe.dataset, tuning="full")
    with pytest.raises(UserError, match=r"needs about [\d,.]+ GB of memory; .* has") as refused:
        estimate.submit(ws, LOCAL, project_id, recipe)
    assert "would fit" in refused.value.fix
    assert lifecycle.list_all(ws, LOCAL, project_id) == []
    found = estimate.estimate(ws, LOCAL, project_id, recipe)
    changed = recipe.model_copy(update=found.proposal)
    assert estimate.estimate(ws, LOCAL, project_id, changed).verdict != "impossible"
    job = estimate.submit(ws, LOCAL, project_id, recipe, anyway=True)
    assert job.state is State.QUEUED


def test_all_weights_of_seven_billion_on_16_gb_get_a_smaller_proposal():
    recipe = sft.Recipe(model="any", dataset="any", tuning="full")
    found = estimate.what_if(LOCAL, recipe, 7e9, memory_bytes=16 * GB)
    assert found.verdict == "impossible"
    assert found.memory_needed > 100 * GB
    smaller = recipe.model_copy(update=found.proposal)
    assert estimate.what_if(LOCAL, smaller, 7e9, memory_bytes=16 * GB).verdict != "impossible"


@pytest.mark.parametrize(
    ("kind", "more"),
    [("sft", {"trl": {"weight_decay": 0.1}}), ("dpo", {}), ("kto", {}), ("reward", {}),
     ("grpo", {"reward": "shorter", "num_generations": 4})],
)  # fmt: skip
def test_every_proposal_is_a_recipe_that_fits_and_keeps_the_other_settings(kind, more):
    method = plugins.load("jobs", kind).Recipe
    recipe = method(model="any", dataset="any", tuning="full", **more)
    found = estimate.what_if(LOCAL, recipe, 3e9, memory_bytes=24 * GB)
    assert found.verdict == "impossible"
    changed = method.model_validate({**recipe.model_dump(), **found.proposal})
    assert estimate.what_if(LOCAL, changed, 3e9, memory_bytes=24 * GB).verdict == "ok"
    assert recipe.trl.items() <= changed.trl.items()


def test_estimate_reports_refusals_of_the_training(ws, world):
    project_id, recipe = world
    recipe = sft.Recipe(model=recipe.model, dataset=recipe.dataset, tuning="full", lora={"r": 4})
    found = estimate.estimate(ws, LOCAL, project_id, recipe)
    assert found.verdict == "impossible"
    assert "lora settings would change nothing" in found.reasons[0]
    assert view.verdict(found) == ("Cannot start", "bad")
    missing = "tuning: qlora needs bitsandbytes, which is not installed here."
    found = found.model_copy(update={"reasons": (missing,)})
    assert view.verdict(found) == ("Not installed here", "neutral")
    assert "tl-bad" not in view.panel(found).replace("tl-badge", "")
    huge = found.model_copy(update={"memory_needed": 10**15})
    assert view.verdict(huge) == ("It does not fit", "bad")


def test_estimate_of_a_job_is_kept_once_and_goes_with_its_finished_run(ws, world):
    job = ran(ws, *world, seconds=120, tokens_per_s=50.0, peak_memory_mb=700.0)
    another = estimate.what_if(LOCAL, world[1], 1e9)
    with reading(ws.db) as conn:
        first = estimates.of(conn, job.id)
    with writing(ws.db) as conn:
        estimates.add(conn, job.id, time.time(), another)
    with reading(ws.db) as conn:
        assert estimates.of(conn, job.id) == first != another
        [run] = history.read(conn, "sft").runs
    assert run.seconds == pytest.approx(120, abs=2)
    assert run.estimated_s is not None


def test_job_without_an_estimate_is_stored_without_one(ws, world):
    job = lifecycle.submit(ws, LOCAL, *world)
    with reading(ws.db) as conn:
        assert estimates.of(conn, job.id) is None


def test_estimate_is_refused_to_raters(ws, world):
    rater = Actor(name="r", role=Role.RATER)
    for ask in (estimate.estimate, estimate.submit):
        with pytest.raises(Forbidden):
            ask(ws, rater, *world)


def test_rank_taken_away_is_estimated_as_the_one_of_peft(ws, world):
    project_id, recipe = world
    from peft import LoraConfig

    assert LoraConfig().r == estimate.PEFT_RANK
    needed = {}
    for rank in (None, estimate.PEFT_RANK, LORA_RANK):
        lora = recipe.completed({"lora": {"r": rank}})["lora"]
        changed = type(recipe).model_validate({**recipe.model_dump(), "lora": lora})
        needed[rank] = estimate.estimate(ws, LOCAL, project_id, changed).memory_needed
    assert needed[None] == needed[estimate.PEFT_RANK] < needed[LORA_RANK]


def test_both_sides_of_a_pair_are_read(ws, world, tmp_path):
    project_id, chat = world
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"q{i}", "chosen": "a" * 100, "rejected": "b" * 100} for i in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)))
    pairs = datasets.add(ws, LOCAL, project_id, path, path.name)
    recipe = dpo.Recipe(model=chat.model, dataset=pairs.id)
    found = estimate.estimate(ws, LOCAL, project_id, recipe)
    half = recipe.model_copy(update={"per_device_train_batch_size": 4})
    less = estimate.estimate(ws, LOCAL, project_id, half)
    assert less.memory["activations"] == pytest.approx(found.memory["activations"] / 2, rel=0.01)


@pytest.mark.train
def test_warm_up_measures_the_speed_that_the_next_estimate_uses(ws, world):
    project_id, recipe = world
    warm = warmup.Recipe(method="sft", recipe=recipe.model_dump(mode="json"), steps=2)
    job = lifecycle.submit(ws, LOCAL, project_id, warm)
    helpers.claimed(ws, job.id)
    assert child.run(ws, job.id, 1) is State.DONE
    result = lifecycle.get(ws, LOCAL, job.id).result
    assert result.tokens_per_s > 0
    assert result.steps == 2
    assert result.peak_memory_mb > 100
    assert result.held_out_seconds > 0
    assert not (ws.files / "jobs" / job.id / "warmup").exists()
    assert [m.kind for m in registry.list_all(ws, LOCAL, project_id)] == ["base"]
    found = estimate.estimate(ws, LOCAL, project_id, recipe)
    assert found.source == "warmup"
    assert "warm-up" in found.basis


@pytest.mark.train
def test_warm_up_that_is_stopped_leaves_nothing(ws, world):
    project_id, recipe = world
    warm = warmup.Recipe(method="sft", recipe=recipe.model_dump(mode="json"), steps=50)
    job = lifecycle.submit(ws, LOCAL, project_id, warm)
    helpers.claimed(ws, job.id)
    lifecycle.cancel(ws, LOCAL, job.id)
    assert child.run(ws, job.id, 1) is State.CANCELLED
    assert not (ws.files / "jobs" / job.id / "warmup").exists()
