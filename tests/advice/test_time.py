"""How long it takes: the most similar runs decide, and earlier misses correct."""

import pytest

from engine.advice import time
from engine.advice.size import of_number
from engine.advice.time import FinishedRun, Work
from engine.core.units import duration_words


def run(speed=500.0, length=200.0, model="m", method="sft", tuning="lora", **more):
    return FinishedRun(model, method, tuning, length, speed, start_s=10.0, seconds=100.0, **more)


def test_runs_of_the_same_model_method_and_tuning_decide():
    others = [run(1), run(2, model="x"), run(3, method="dpo"), run(4, tuning="full")]
    found = time.from_runs([run(400), run(600), run(500), *others[1:]], "m", "sft", "lora", 200)
    assert found.likely == 500
    assert found.low <= 400
    assert found.high >= 600
    assert found.start_s == 10
    assert "3 earlier runs" in found.basis


def test_runs_with_rows_of_another_length_count_only_where_there_are_few():
    far = [run(100, length=2000) for _ in range(5)]
    assert time.from_runs([*far, run(500)], "m", "sft", "lora", 200).likely == 100
    near = [run(500), run(510), run(490)]
    assert time.from_runs([*far, *near], "m", "sft", "lora", 200).likely == 500


def test_speed_is_unknown_without_a_similar_run():
    assert time.from_runs([run(model="x")], "m", "sft", "lora", 200) is None


def test_one_run_is_less_sure_than_three():
    one = time.from_runs([run(500)], "m", "sft", "lora", 200)
    three = time.from_runs([run(500)] * 3, "m", "sft", "lora", 200)
    guess = time.from_arithmetic(of_number(135e6), "sft", "lora", 1e11)
    assert three.high / three.low < one.high / one.low < guess.high / guess.low


def test_seconds_are_start_and_tokens_and_held_out_measurements():
    speed = time.from_warmup(100.0, start_s=20.0, measurement_s=5.0)
    found = time.seconds(Work(10, 3000, 400, 3), speed, "sft")
    assert found.likely == 20 + 3000 / 100 + 3 * 5
    assert found.low < found.likely < found.high
    timed = speed._replace(measurement_s=None)
    assert time.seconds(Work(10, 3000, 400, 3), timed, "sft").likely == 20 + 30 + 3 * 0.5 * 4


def test_estimate_that_was_always_half_is_doubled_the_next_time():
    past = [run(source="runs", estimated_s=50.0) for _ in range(3)]
    assert time.learned(past, "sft", "runs") == 2
    assert time.learned(past, "sft", "arithmetic") == 1
    assert time.learned(past, "dpo", "runs") == 1
    assert time.learned([], "sft", "runs") == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (40, "40 seconds"), (100, "1.7 minutes"), (5400, "1.5 hours"),
     (86_400 * 30, "30 days")],
)  # fmt: skip
def test_duration_is_written_in_a_readable_unit(seconds, words):
    assert duration_words(seconds) == words
