"""What fits, what doesn't, and the mildest change that would."""

import pytest

from engine.advice import fit, machine
from engine.advice.machine import Machine
from engine.advice.memory import TrainingPlan, parts
from engine.advice.size import of_number

GB = 10**9
SEVEN = of_number(7e9)


def taken(size, plan):
    return sum(parts(size, plan).values())


def test_all_weights_of_seven_billion_do_not_fit_in_16_gb_and_the_numbers_say_so():
    judged = fit.assess(
        taken(SEVEN, TrainingPlan("sft", "full", 8, 512)), Machine(16 * GB, 16 * GB)
    )
    assert judged.verdict == "impossible"
    assert "14 GB" in judged.reasons[0]


def test_proposal_fits_and_keeps_what_an_update_learns_from():
    plan = TrainingPlan("sft", "full", 8, 512)
    found = fit.smaller(SEVEN, plan, 14 * GB, qlora=True)
    assert taken(SEVEN, found) <= 14 * GB
    changes = fit.changes(plan, found)
    assert changes["tuning"] == "qlora"
    rows = changes.get("per_device_train_batch_size", 8)
    assert rows * changes.get("trl", {}).get("gradient_accumulation_steps", 1) == 8


def test_four_bits_are_not_proposed_where_they_cannot_be_had():
    assert fit.smaller(SEVEN, TrainingPlan("sft", "full", 8, 512), 14 * GB, qlora=False) is None


def test_mildest_change_comes_first():
    small = of_number(135e6)
    plan = TrainingPlan("sft", "lora", 64, 512)
    found = fit.smaller(small, plan, taken(small, plan) - 1, qlora=True)
    assert found == plan._replace(batch=32)


def test_verdict_names_the_largest_model_that_would_fit_where_nothing_helps():
    plan = TrainingPlan("sft", "full", 8, 512)
    most = fit.largest(plan, 14 * GB, qlora=True)
    assert fit.smaller(of_number(most * 0.9), plan, 14 * GB, qlora=True)
    assert fit.smaller(of_number(most * 1.3), plan, 14 * GB, qlora=True) is None


@pytest.mark.parametrize(
    ("needed", "free", "expected"), [(2, 16, "ok"), (13, 16, "tight"), (8, 4, "tight")]
)
def test_verdict_gives_the_reason_where_memory_is_tight(needed, free, expected):
    judged = fit.assess(needed * GB, Machine(16 * GB, free * GB))
    assert judged.verdict == expected
    assert bool(judged.reasons) == (expected == "tight")


def test_container_limit_counts_and_a_gpu_counts_more():
    assert Machine(64 * GB, 64 * GB, limit=8 * GB).usable == pytest.approx(7.2 * GB)
    assert Machine(64 * GB, 64 * GB, limit=8 * GB, gpu=24 * GB).usable == pytest.approx(21.6 * GB)


def test_memory_of_this_machine_is_read():
    import psutil

    found = machine.here()
    assert found.memory == pytest.approx(psutil.virtual_memory().total, rel=0.02)
    assert 0 < found.free <= found.memory
