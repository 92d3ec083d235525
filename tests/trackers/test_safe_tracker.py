"""A tracker never breaks a training, and no secret gets out through one."""

from types import SimpleNamespace

import pytest
from transformers import TrainerCallback

from engine.trackers.run import Tracker
from engine.trackers.safe_tracker import SafeTracker, without_secrets
from tests.methods.fake_context import MemoryContext

HOOKS = [name for name in dir(TrainerCallback) if name.startswith("on_")]
GOES_ON = "Mine could not be written: the disk is full; the run goes on without it."


@pytest.fixture
def ctx(tmp_path):
    return MemoryContext(tmp_path / "job", tmp_path, [])


class Callback(TrainerCallback):
    """Notes the hooks it is asked, and raises in one of them."""

    def __init__(self, bad=None):
        self.asked = []
        for name in HOOKS:
            setattr(self, name, lambda *a, _name=name, **k: self._hear(_name, bad, *a, **k))

    def _hear(self, name, bad, *args, **more):
        self.asked.append((name, args, more))
        if name == bad:
            raise OSError("the disk is full.\nand a second line")
        return SimpleNamespace(should_training_stop=True)


def started(ctx, callback, finish=lambda _: None):
    tracker = SafeTracker("Mine", ctx)
    return tracker, tracker.start(lambda: Tracker(callback, "Mine is written", finish))


def ask(passed_on, name):
    return getattr(passed_on, name)("args", "state", "control", logs={"loss": 1.0})


@pytest.mark.parametrize("name", HOOKS)
def test_tracker_fault_is_one_sentence_and_the_tracker_is_dropped(ctx, name):
    callback = Callback(bad=name)
    _, passed_on = started(ctx, callback)
    for each in [*HOOKS, *HOOKS]:
        assert ask(passed_on, each) is None
    assert ctx.said() == ["Mine is written", GOES_ON]
    assert [asked for asked, _, _ in callback.asked] == HOOKS[: HOOKS.index(name) + 1]


def test_every_hook_is_passed_on_as_it_came_and_decides_nothing(ctx):
    callback = Callback()
    _, passed_on = started(ctx, callback)
    assert isinstance(passed_on, TrainerCallback)
    for name in HOOKS:
        assert ask(passed_on, name) is None  # upstream would take an answer for its new control
    expected = (("args", "state", "control"), {"logs": {"loss": 1.0}})
    assert callback.asked == [(name, *expected) for name in HOOKS]
    assert {"on_train_begin", "on_log", "on_train_end"} <= set(HOOKS)


def test_tracker_that_cannot_start_is_one_sentence(ctx):
    def start():
        raise RuntimeError

    tracker = SafeTracker("Mine", ctx)
    assert tracker.start(start) is None
    tracker.finish(True)
    assert ctx.said() == ["Mine could not be written: RuntimeError; the run goes on without it."]


@pytest.mark.parametrize(("fallen", "told"), [(False, True), (True, False)])
def test_tracker_is_closed_once_with_the_outcome(ctx, fallen, told):
    heard = []
    tracker, passed_on = started(ctx, Callback("on_log" if fallen else None), heard.append)
    ask(passed_on, "on_log")
    tracker.finish(True)
    assert heard == [told]


def test_tracker_fault_at_closing_is_reported_once(ctx):
    def finish(_):
        raise OSError("the disk is full")

    started(ctx, Callback(), finish)[0].finish(True)
    assert ctx.said()[1:] == [GOES_ON]
    tracker, passed_on = started(ctx, Callback("on_log"), finish)
    ask(passed_on, "on_log")
    tracker.finish(True)
    assert ctx.said()[3:] == [GOES_ON]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("bad key planted-value-1!", "bad key …!"),
        ("no route to https://me:pass@host:5000/api", "no route to https://…@host:5000/api"),
        ("https://host/?write_token=abcdef&x=1", "https://host/?write_token=…&x=1"),
        ("kept as it is, monkey", "kept as it is, monkey"),
    ],
)
def test_secrets_are_removed_from_library_messages(monkeypatch, text, left):
    monkeypatch.setenv("WANDB_API_KEY", "planted-value-1")
    monkeypatch.setenv("MONKEY", "monkey")
    assert without_secrets(text) == left
