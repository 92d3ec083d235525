"""Of the numbers that a trainer logged, those that say whether the method did what it is for."""

from collections.abc import Mapping, Sequence
from typing import Any

# what a trainer logs -> what the result calls it, where it is measured on held-out rows
HELD_OUT = {
    "eval_accuracy": "held_out_accuracy",  # reward: pairs in which the preferred answer won
    "eval_margin": "held_out_margin",
    "eval_rewards/accuracies": "held_out_accuracy",  # DPO
    "eval_rewards/margins": "held_out_margin",  # DPO, KTO
    "eval_reward": "held_out_reward",  # RLOO, GRPO
}
TRAIN = {"reward": "reward"}


def of(state: Any) -> dict[str, float]:
    """From a TrainerState: held-out numbers at the step that was kept, rewards first and last."""
    history = state.log_history
    kept = getattr(state, "best_global_step", None)
    found = _held_out([log for log in history if log.get("step") == kept] or history)
    for name, title in TRAIN.items():
        values = [log[name] for log in history if log.get(name) is not None]
        if values:
            found |= {f"first_{title}": values[0], f"last_{title}": values[-1]}
    first = _held_out([log for log in history if log.get("step") == 0])
    return found | {f"first_{name}": value for name, value in first.items()}


def _held_out(logs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The last value of each number in `logs`."""
    return {
        title: round(float(log[name]), 4)
        for log in logs
        for name, title in HELD_OUT.items()
        if log.get(name) is not None
    }
