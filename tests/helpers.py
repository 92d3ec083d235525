"""Small worlds for tests: a project with data, models without weights, a round ready to rate."""

import time
from pathlib import Path

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.dataset import Dataset
from engine.core.examples import Message
from engine.core.job import Job
from engine.core.model import Model
from engine.core.project import Project
from engine.core.rating import Candidate, Purpose, Round
from engine.services import projects
from engine.services.data import datasets, preview, staging
from engine.services.data.datasets import Reading
from engine.services.rating import comparisons, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store import jobs, models
from engine.store.connect import writing
from engine.workspace import Workspace


def project(ws: Workspace, name: str = "Test") -> Project:
    return projects.create(ws, LOCAL, name)


def chat_file(folder: Path, rows: int = 40, name: str = "faq.jsonl") -> Path:
    path = folder / name
    lines = [f'{{"prompt": "question {i}?", "completion": "answer {i}."}}' for i in range(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def dataset(ws: Workspace, project_id: str, folder: Path, rows: int = 40) -> Dataset:
    path = chat_file(folder, rows)
    return datasets.add(ws, LOCAL, project_id, path, path.name, held_out=0.25)


def model(ws: Workspace, folder: Path, name: str = "base") -> Model:
    """A base model row whose folder exists but holds nothing."""
    (folder / name).mkdir(exist_ok=True)
    new = Model(
        id=ids.new("model"),
        name=name,
        kind="base",
        source="folder",
        path=str(folder / name),
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        models.add(conn, new)
    return new


def open_round(
    ws: Workspace,
    project_id: str,
    folder: Path,
    *,
    purpose: Purpose = "train_pairs",
    pairs: int = 24,
    overlap: int = 1,
) -> Round:
    """A round whose answers were written by hand: "new 3" against "old 3" for prompt 3."""
    new, old = model(ws, folder, "secret-new"), model(ws, folder, "secret-old")
    source = dataset(ws, project_id, folder, rows=4 * pairs)
    recipe = RoundRecipe(
        purpose=purpose, model=new.id, baseline=old.id, dataset=source.id, prompts=pairs,
        overlap=overlap,
    )  # fmt: skip
    one = rounds.start(ws, LOCAL, project_id, recipe)
    answers = [
        candidate(arm.id, n, f"{word} {n}")
        for n in range(pairs)
        for arm, word in ((new, "new"), (old, "old"))
    ]
    with writing(ws.db) as conn:
        comparisons.open_with(conn, one.id, tuple(answers))
    return rounds.get(ws, LOCAL, one.id)


def candidate(model_id: str, number: int, text: str, seed: int = 1) -> Candidate:
    """A finished answer to "prompt 3" for number 3, with the reference "right 3"."""
    return Candidate(
        prompt_no=number,
        prompt=(Message(role="user", content=f"prompt {number}"),),
        references=(f"right {number}",),
        model_id=model_id,
        seed=seed,
        text=text,
    )


def claimed(ws: Workspace, job_id: str, lane: str = "compute") -> Job:
    """The job, claimed as a worker would; it must be the oldest of its lane."""
    with writing(ws.db) as conn:
        job = jobs.claim(conn, lane, "test:worker", "test", time.time())
    assert job is not None
    assert job.id == job_id
    return job


def previewed(ws, path, held_out=0.15, **how):
    """The preview of a file as it is dropped; `how` is what a Reading takes."""
    upload = staging.stage(ws, LOCAL, path, path.name)
    return preview.preview_upload(ws, LOCAL, upload, Reading(**how), held_out)
