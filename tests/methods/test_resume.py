"""A training that is broken off and goes on ends as one that was never broken."""

import os
import signal
import subprocess
import sys

import pytest

from engine.core.examples import Chat, Message
from engine.core.job_context import Cancelled
from engine.methods import checkpoint, dpo, sft
from tests.methods.fake_context import BASE, MemoryContext, chats, pairs, user

pytestmark = pytest.mark.train

DROPOUT = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear", "lora_dropout": 0.2}


class Broken(Exception):
    """What breaks a run off in these tests; nothing in the house catches it."""


class BreakingContext(MemoryContext):
    """Breaks off when step `at` has been said, as if the process were gone."""

    at = 0

    def emit(self, kind, data, step=None):
        super().emit(kind, data, step)
        if kind == "metric" and step == self.at and "loss" in data:
            raise Broken


def recipe(method, **values):
    given = {"model": BASE, "dataset": "d", "learning_rate": 5e-3, "num_train_epochs": 3}
    return method.Recipe(**given, **values)


def mixed(number):
    """Answers of many lengths, so that another order of rows would show in every loss."""
    return [
        Chat(messages=(*user(f"Say {i}"), Message(role="assistant", content="yes " * (1 + i % 7))))
        for i in range(number)
    ]


@pytest.mark.parametrize(
    ("method", "rows", "held_out", "values"),
    [
        (sft, mixed(24), mixed(4), {"lora": DROPOUT}),  # dropout draws random numbers
        (sft, mixed(24), [], {"tuning": "full"}),
        (dpo, pairs(24), pairs(4), {}),
    ],
)
@pytest.mark.parametrize("at", [5, 7])  # saved at 2, 4, 6: in the middle and at an epoch's start
def test_resumed_training_ends_with_the_losses_of_an_unbroken_one(
    method, rows, held_out, values, at, tiny_model, tmp_path
):
    asked = recipe(method, samples=0, num_evals=5, **values)
    whole = MemoryContext(tmp_path / "whole", tiny_model, rows, held_out)
    expected = method.run(asked, whole)

    broken = BreakingContext(tmp_path / "job", tiny_model, rows, held_out)
    broken.at = at
    with pytest.raises(Broken):
        method.run(asked, broken)
    again = MemoryContext(tmp_path / "job", tiny_model, rows, held_out)
    outcome = method.run(asked, again)

    steps = [event.step for event in again.events if "loss" in event.data]
    assert steps == list(range(1, 10))
    assert f"Going on from the checkpoint of step {at - 1}." in again.said()
    assert again.metrics("loss") == pytest.approx(whole.metrics("loss"), abs=1e-3)
    assert again.metrics("eval_loss") == pytest.approx(whole.metrics("eval_loss"), abs=1e-3)
    for name in ("steps", "tokens", "best_step"):
        assert getattr(outcome.result, name) == getattr(expected.result, name)
    done = [event.data["done"] for event in again.events if event.kind == "progress"]
    assert done == list(range(at, 10))


def test_training_killed_twice_resumes_in_the_next_process(tiny_model, tmp_path):
    """SIGKILL at the end of a step, before its loss is said; real processes."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from engine.methods import sft\n"
        "from tests.methods import fake_context\n"
        "class Context(fake_context.MemoryContext):\n"
        "    def emit(self, kind, data, step=None):\n"
        "        super().emit(kind, data, step)\n"
        "        if kind == 'progress' and step == int(sys.argv[3]):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "ctx = Context(Path(sys.argv[1]), Path(sys.argv[2]), fake_context.chats(24))\n"
        "sft.run(sft.Recipe(model='base-1', dataset='d', num_train_epochs=3, samples=0), ctx)\n"
        "print('steps', *[e.step for e in ctx.events if 'loss' in e.data])\n"
    )

    def run(kill_at):
        command = [sys.executable, "-c", code, tmp_path / "job", tiny_model, str(kill_at)]
        return subprocess.run(command, env=os.environ, capture_output=True, text=True)

    for kill_at in (3, 5):
        assert run(kill_at).returncode == -signal.SIGKILL
    assert run(0).stdout.splitlines()[-1] == "steps 1 2 3 4 5 6 7 8 9"


def test_changed_checkpoint_is_not_used(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4), cancel_after=4)
    with pytest.raises(Cancelled):
        sft.run(recipe(sft), ctx)
    found = checkpoint.newest_verified(ctx.folder / checkpoint.FOLDER)
    assert found.step == 4
    weights = found.path / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    again = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4))
    sft.run(recipe(sft), again)
    assert "Going on from the checkpoint of step 2." in again.said()


def test_cancelled_run_leaves_an_adapter_that_can_be_loaded(tiny_model, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4), cancel_after=3)
    with pytest.raises(Cancelled):
        sft.run(recipe(sft), ctx)
    assert not (ctx.folder / "adapter").exists()
    found = checkpoint.newest_verified(ctx.folder / checkpoint.FOLDER)
    assert found.step == 3
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    model = PeftModel.from_pretrained(base, found.path / "adapter")
    moved = [p.abs().sum() for name, p in model.named_parameters() if "lora_B" in name]
    assert min(moved) > 0


def test_stop_and_keep_makes_a_model_of_what_was_reached(tiny_model, tmp_path):
    ctx = MemoryContext(
        tmp_path / "job", tiny_model, chats(24), chats(4), cancel_after=3, keep=True
    )
    outcome = sft.run(recipe(sft, num_evals=1), ctx)
    assert (outcome.result.stopped_at, outcome.result.stopped_by) == (3, "you")
    assert (outcome.result.steps, outcome.result.best_step) == (3, 3)
    assert len(ctx.metrics("eval_loss")) == 2  # at the start and at the stop
    assert (ctx.folder / "adapter" / "adapter_model.safetensors").is_file()


def test_training_that_overfits_stops_early_and_keeps_its_best(tiny_model, tmp_path):
    other = [Chat(messages=(*user("Say 1"), Message(role="assistant", content="qqq zzz xxx")))]
    values = {"learning_rate": 1e-2, "num_train_epochs": 20, "num_evals": 20}
    asked = sft.Recipe(model=BASE, dataset="d", early_stopping_patience=5, keep_best=True, **values)
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(16), other * 2)
    result = sft.run(asked, ctx).result
    assert result.stopped_by == "early stopping"
    assert result.best_step < result.steps == result.stopped_at < 40
    assert result.overfit
    assert any("the model overfits" in text for text in ctx.said())


def test_last_state_is_kept_where_the_best_is_not_wanted(tiny_model, tmp_path):
    from safetensors.torch import load_file

    other = [Chat(messages=(*user("Say 1"), Message(role="assistant", content="qqq zzz xxx")))]
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(16), other * 2)
    asked = sft.Recipe(
        model=BASE, dataset="d", learning_rate=2e-2, num_train_epochs=4, keep_best=False
    )
    sft.run(asked, ctx)
    last = checkpoint.newest_verified(ctx.folder / checkpoint.FOLDER)
    assert last.step == 8
    name = "adapter/adapter_model.safetensors"
    kept, at_the_end = load_file(ctx.folder / name), load_file(last.path / name)
    assert all((kept[key] == at_the_end[key]).all() for key in at_the_end)


def test_checkpoint_holds_no_pickle(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(8), chats(2))
    sft.run(recipe(sft), ctx)
    files = [p for p in (ctx.folder / checkpoint.FOLDER).rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".json", ".safetensors"}
