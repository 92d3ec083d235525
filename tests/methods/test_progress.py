"""What a training says and concludes, fed with numbers as a trainer would."""

import pytest

from engine.core.errors import UserError
from engine.methods.progress import Watch
from engine.methods.resources import ResourceMeter
from tests.methods.fake_context import MemoryContext


@pytest.fixture
def ctx(tmp_path):
    return MemoryContext(tmp_path / "job", tmp_path, [])


def fed(ctx, train, held_out, **options):
    """A watch that heard a training loss at steps 1, 2, ... and a held-out loss after each."""
    watch = Watch(ctx, **options)
    watch.begin()
    watch.logs(0, {"eval_loss": 9.0})
    for step, (loss, measured) in enumerate(zip(train, held_out, strict=True), 1):
        watch.step_begins()
        watch.step_ends(step, len(train))
        watch.logs(step, {"loss": loss, "grad_norm": 1.0, "learning_rate": 0.1, "num_tokens": step})
        watch.logs(step, {"eval_loss": measured})
    return watch


def test_overfitting_is_flagged(ctx):
    watch = fed(ctx, [5, 4, 3, 2, 1], [4, 3, 3.1, 3.4, 3.6])
    assert watch.overfit()
    assert watch.result().overfit is True
    assert watch.result().best_step == 2


@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        ([5, 4, 3, 2, 1], [4, 3, 2.9, 2.8, 2.7]),  # goes on getting better
        ([5, 4, 3, 2, 1], [4, 3, 3.05, 3.02, 3.08]),  # within three percent
        ([5, 4, 5, 6, 7], [4, 3, 3.5, 4, 5]),  # both rise: it diverges, which is another thing
        ([5], [4]),
    ],
)
def test_overfitting_is_not_flagged_on_other_curves(ctx, train, held_out):
    assert not fed(ctx, train, held_out).overfit()


def test_patience_counts_measurements_without_a_new_best(ctx):
    assert not fed(ctx, [1, 1, 1], [3, 4, 2], patience=2).patience_is_over()
    assert not fed(ctx, [1, 1, 1], [3, 2, 4], patience=2).patience_is_over()
    assert fed(ctx, [1, 1, 1], [3, 4, 5], patience=2).patience_is_over()
    assert not fed(ctx, [1, 1, 1], [3, 4, 5]).patience_is_over()


def test_score_is_better_higher_and_the_last_state_counts_where_asked(ctx):
    watch = Watch(ctx, best="eval_reward")
    for step, reward in enumerate((0.9, 0.1, 0.5, 0.2)):
        watch.logs(step, {"eval_reward": reward})
    assert watch.best_step == 2
    assert fed(ctx, [1, 1], [1, 2], keep_best=False).best_step is None


@pytest.mark.parametrize("name", ["loss", "eval_loss", "grad_norm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_stops_the_training_and_names_the_step(ctx, name, value):
    with pytest.raises(UserError, match=f"failed at step 7: its {name} is"):
        Watch(ctx).logs(7, {name: value})


def test_infinite_gradient_is_no_fault_where_gradients_are_scaled(ctx):
    Watch(ctx).logs(7, {"loss": 1.0, "grad_norm": float("inf")}, scaled=True)
    assert ctx.metrics("grad_norm") == []


def test_learning_rate_and_gradient_norm_are_reported_with_every_loss(ctx):
    fed(ctx, [5, 4], [3, 2])
    assert (ctx.metrics("learning_rate"), ctx.metrics("grad_norm")) == ([0.1, 0.1], [1.0, 1.0])


def test_later_attempt_repeats_its_events_and_counts_on(ctx, tmp_path):
    watch = fed(ctx, [5, 4], [3, 2])
    later = MemoryContext(tmp_path / "later", tmp_path, [])
    again = Watch(later)
    again.restore(watch.state())
    again.begin(2)
    again.step_ends(3, 4)
    again.logs(3, {"loss": 1.0})
    assert later.metrics("loss") == [5, 4, 1.0]
    assert again.best_step == 2
    assert again.result().first_train_loss == 5
    assert again.result().seconds >= watch.result().seconds


def test_time_left_is_reckoned_from_where_this_attempt_began(ctx):
    time = [0.0]
    watch = Watch(ctx, lambda: time[0])
    watch.begin(50)
    time[0] = 10.0
    watch.step_ends(51, 53)
    assert ctx.events[-1].data["eta_s"] == 20.0


def test_state_is_saved_again_after_ten_minutes(ctx):
    time = [0.0]
    watch = Watch(ctx, lambda: time[0])
    watch.begin()
    time[0] = 599.0
    assert not watch.save_is_due()
    time[0] = 601.0
    assert watch.save_is_due()
    watch.saved()
    assert not watch.save_is_due()


@pytest.mark.train
def test_memory_and_processor_are_read_at_most_every_two_seconds():
    time = [0.0]
    meter = ResourceMeter(lambda: time[0])
    assert meter.now() == {}
    time[0] = 2.5
    kept = bytearray(64 << 20)
    read = meter.now()
    assert set(read) >= {"cpu_percent", "memory_mb"}
    del kept
    assert meter.peak()["peak_memory_mb"] >= read["memory_mb"] > 64
