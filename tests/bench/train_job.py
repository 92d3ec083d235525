"""One part of bench_train.py, in a process of its own; says its result as JSON in the last line."""

import json
import sys
import time
from pathlib import Path

from engine.core.examples import Chat, Message, Preference
from engine.methods import dpo, sft
from engine.models import precision
from tests.methods.fake_context import BASE, MemoryContext

METHODS = {"sft": sft, "dpo": dpo}
SIZE = 2048


def main(job):
    print(json.dumps({"train": train, "score": score, "peak": peak}[job["do"]](job)))


def train(job):
    """The training as a worker does it."""
    folder = Path(job["folder"])
    ctx = MemoryContext(folder / "tuneloop", Path(job["model"]), rows(job, "train"))
    more = {"loss_type": ["sigmoid"]} if job["method"] == "dpo" else {}
    method = METHODS[job["method"]]
    recipe = method.Recipe(
        model=BASE, dataset="d", max_steps=job["steps"], learning_rate=job["rate"], **more
    )
    result = method.run(recipe, ctx).result
    return {
        "seconds": result.seconds,
        "tokens": result.tokens,
        "adapter": str(ctx.folder / "adapter"),
    }


def score(job):
    """The loss of an adapter, whoever trained it, on the held-out rows in float32."""
    folder, method = Path(job["folder"]), METHODS[job["method"]]
    ctx = MemoryContext(
        folder / "score", Path(job["model"]), rows(job, "train"), rows(job, "held_out")
    )
    adapter = Path(job["adapter"])
    if job["method"] == "sft":
        ctx.add("one", adapter)
        recipe = method.Recipe(model="one", dataset="d", trl={"bf16": False})
        _, make = method.prepare(recipe, ctx)
        return make([]).evaluate()["eval_loss"]
    from peft import set_peft_model_state_dict
    from peft.utils import load_peft_weights

    recipe = method.Recipe(model=BASE, dataset="d", trl={"bf16": False}, loss_type=["sigmoid"])
    _, make = method.prepare(recipe, ctx)
    trainer = make([])  # the base is the reference of the score, as it was in the training
    set_peft_model_state_dict(trainer.model, load_peft_weights(str(adapter)))
    return trainer.evaluate()["eval_loss"]


def peak(job):
    """The fastest matrix products seen here, and what a token of a training step costs.

    A frozen weight is used once forwards and once backwards, two operations each; DPO goes forward
    once more for the reference.
    """
    import torch
    from transformers import AutoModelForCausalLM

    precision.use_cores()
    layers = AutoModelForCausalLM.from_pretrained(job["model"]).model.layers
    weights = sum(p.numel() for p in layers.parameters()) / 1e9
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(SIZE, SIZE, dtype=dtype)
        found[str(dtype).removeprefix("torch.")] = 2 * SIZE**3 / 1e9 / fastest(lambda a=a: a @ a)
    return {**found, "gflop_a_token": {"sft": 4 * weights, "dpo": 6 * weights}}


def fastest(product):
    taken = []
    for _ in range(10):
        start = time.perf_counter()
        product()
        taken.append(time.perf_counter() - start)
    return min(taken)


def rows(job, part):
    lines = (Path(job["folder"]) / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    make = {"sft": chat, "dpo": preference}[job["method"]]
    return [make(json.loads(line)) for line in lines]


def chat(row):
    return Chat(messages=tuple(Message(**turn) for turn in row["prompt"] + row["completion"]))


def preference(row):
    return Preference(
        prompt=tuple(Message(**turn) for turn in row["prompt"]),
        chosen=row["chosen"][0]["content"],
        rejected=row["rejected"][0]["content"],
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
