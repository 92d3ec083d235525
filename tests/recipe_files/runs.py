"""Trainings that really ran, for the tests of what leaves."""

import json
import time
from pathlib import Path

from engine import child, plugins
from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.core.job_result import TrainingResult
from engine.core.model import Model
from engine.services import job_outcomes
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.store import models
from engine.store.connect import writing
from tests import helpers

QUICK = {
    "max_steps": 6,
    "num_evals": 3,
    "samples": 1,
    "evaluate_after": False,
    "max_length": 128,
    "per_device_train_batch_size": 4,
}
LORA = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": "all-linear"}


def chats(folder: Path, rows: int = 30) -> Path:
    """Conversations of one and of two answers, of different lengths."""
    path = folder / "chats.jsonl"
    lines = []
    for i in range(rows):
        turns = [
            {"role": "user", "content": f"question {i}" + "?" * (i % 7)},
            {"role": "assistant", "content": f"answer {i * i}"},
        ]
        if i % 3 == 0:
            turns = [{"role": "system", "content": "Be brief."}, *turns]
            turns += [
                {"role": "user", "content": f"and {i}?"},
                {"role": "assistant", "content": f"also {i}"},
            ]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n")
    return path


def pairs(folder: Path, rows: int = 24) -> Path:
    """Preference pairs."""
    path = folder / "pairs.jsonl"
    lines = [
        json.dumps({
            "prompt": f"question {i}?",
            "chosen": f"a good answer {i * 7}",
            "rejected": f"bad {i}",
        })
        for i in range(rows)
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


def trained(ws, project, kind, model_id, path, name="", **values):
    """The finished job of a training on the rows of a file."""
    data = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.25)
    recipe = plugins.load("jobs", kind).Recipe(
        model=model_id, dataset=data.id, **{**QUICK, **values}
    )
    job = lifecycle.submit(ws, LOCAL, project.id, recipe, name or f"A {kind} run")
    helpers.claimed(ws, job.id)
    state = child.run(ws, job.id, 1)
    job = lifecycle.get(ws, LOCAL, job.id)
    assert state is State.DONE, job.error
    return job


def stored(ws, project, kind, model_id, path, name="", **values):
    """A finished job as a worker stores it, without a training."""
    data = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.25)
    recipe = plugins.load("jobs", kind).Recipe(model=model_id, dataset=data.id, **values)
    job = lifecycle.submit(ws, LOCAL, project.id, recipe, name or f"A {kind} run")
    found = TrainingResult(
        first_train_loss=2.5,
        last_train_loss=1.5,
        last_held_out_loss=1.75,
        best_held_out_loss=1.7,
        steps=6,
        rows=data.train_rows,
        held_out_rows=data.held_out_rows,
        bf16=False,
        on_gpu=False,
    )
    outcome = Outcome(result=found)
    assert job_outcomes.store(ws, helpers.claimed(ws, job.id), outcome) is State.DONE
    return lifecycle.get(ws, LOCAL, job.id)


def adapter_model(ws, project, base, adapter):
    """An adapter over the base that nobody trained; `adapter` makes its files."""
    folder = ws.files / "jobs" / "made" / "model"
    adapter(Path(base.path), folder, seed=1)
    new = Model(
        id=ids.new("model"),
        project_id=project.id,
        name="Support bot",
        kind="adapter",
        source="trained",
        path="jobs/made/model",
        base_id=base.id,
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        models.add(conn, new)
    return new


def kto(folder: Path, rows: int = 12) -> Path:
    """Answers marked good or bad."""
    path = folder / "marked.jsonl"
    lines = [
        json.dumps({"prompt": f"question {i}?", "completion": f"answer {i}", "label": i % 2 == 0})
        for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
