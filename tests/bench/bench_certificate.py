"""How many answers of a trained model are the same text in llama.cpp, for each kind of GGUF.

A LoRA SFT over the model in TUNELOOP_MODEL on the demo's questions of a library (259 rows, 3 epochs
at 1e-3), merged, converted, and asked 50 held-out questions greedily, 64 tokens each. With
TUNELOOP_BENCH_UNTRAINED=1 the base itself is exported and asked, whose free answers are less sure.
TUNELOOP_BENCH_BITS=F16,Q8_0 asks these alone.
"""

import os
from pathlib import Path

import pytest

from engine import child, plugins
from engine.core.actor import LOCAL
from engine.core.export import Quantisation
from engine.core.job import State
from engine.orchestrate import demo_job
from engine.services import exports, projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.bench import bench_tools
from tests.exporters.conftest import tools, with_tools  # noqa: F401

TRAINED = os.environ.get("TUNELOOP_BENCH_UNTRAINED") != "1"
BITS = os.environ.get("TUNELOOP_BENCH_BITS", ",".join(Quantisation.__args__)).split(",")
TRAINING = {"num_train_epochs": 3, "learning_rate": 1e-3, "num_evals": 3, "max_length": 160}


def test_answers_that_are_the_same_in_llama_cpp(home, with_tools):  # noqa: F811
    folder = Path(os.environ.get("TUNELOOP_MODEL", ""))
    if not (folder / "config.json").is_file():
        pytest.skip("no model to ask: set TUNELOOP_MODEL to the folder of SmolLM2-135M-Instruct")
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    model = registry.add_base(ws, LOCAL, "base", folder.resolve(), "folder")
    project = projects.create(ws, LOCAL, "Bench")
    data = datasets.add(ws, LOCAL, project.id, demo_job.DATA / "library_faq.jsonl", "faq.jsonl",
                        held_out=0.2)  # fmt: skip
    if TRAINED:
        recipe = plugins.load("jobs", "sft").Recipe(
            model=model.id, dataset=data.id, evaluate_after=False, samples=0, **TRAINING
        )
        done(ws, lifecycle.submit(ws, LOCAL, project.id, recipe, "faq"))
        model = registry.list_all(ws, LOCAL, project.id)[-1]
    print(f"\n{folder.name}, {'trained' if TRAINED else 'as it is'}, {bench_tools.conditions(ws)}",
          flush=True)  # fmt: skip
    for bits in BITS:
        asked = {"model": model.id, "to": "gguf", "quantisation": bits, "dataset": data.id}
        job = done(ws, exports.start(ws, LOCAL, project.id, asked))
        found = exports.result(ws, LOCAL, job.id)
        size = sum(file.bytes for file in found.files) / 1e6
        print(f"{bits:7} {size:6.0f} MB  {found.sentence}", flush=True)
    ws.close()


def done(ws, job):
    helpers.claimed(ws, job.id)
    state = child.run(ws, job.id, 1)
    job = lifecycle.get(ws, LOCAL, job.id)
    assert state is State.DONE, job.error
    return job
