"""Questions that a model was trained on are found before an evaluation starts."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden
from engine.core.model import REPLAY, Model
from engine.services.data import datasets
from engine.services.evaluation import contamination
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import models
from engine.store.connect import writing
from tests import helpers
from tests.training.trained import train


def intents(ws, project, path, folder, held_out):
    """The CSV of texts and intents as prompts and completions."""
    copy = folder / path.name
    copy.write_text(path.read_text().replace("text,intent", "prompt,completion", 1))
    return datasets.add(ws, LOCAL, project.id, copy, copy.name, held_out=held_out)


def test_two_questions_of_the_intent_test_are_in_its_training_part(ws, tmp_path, shared_data):
    project, base = helpers.project(ws), helpers.model(ws, tmp_path)
    folder = shared_data / "tasks" / "snips_intent"
    learned = intents(ws, project, folder / "train_420.csv", tmp_path, 0.0)
    test = intents(ws, project, folder / "test_210.csv", tmp_path, 0.0)
    tuned = train(ws, project, "sft", base, learned).model_id
    found = contamination.check(ws, LOCAL, test.id, [base.id, tuned], None, 210)
    assert (found.count, found.asked, found.compared) == (2, 210, 420)
    asked = {row.index: row.example.prompt[-1].content for row in datasets.rows(ws, LOCAL, test.id)}
    taught = {row.example.prompt[-1].content for row in datasets.rows(ws, LOCAL, learned.id)}
    assert all(asked[index].lower() in {text.lower() for text in taught} for index in found.rows)


def test_contamination_counts_the_data_of_ancestors(ws, tmp_path):
    project, base = helpers.project(ws), helpers.model(ws, tmp_path)
    data = helpers.dataset(ws, project.id, tmp_path)
    first = registry.get(ws, LOCAL, train(ws, project, "sft", base, data).model_id)
    job = lifecycle.list_all(ws, LOCAL, project.id)[0]
    lifecycle.cancel(ws, LOCAL, job.id)
    other = helpers.chat_file(tmp_path, 3, "other.jsonl")
    other.write_text('{"prompt": "Something else entirely?", "completion": "yes"}\n')
    second = datasets.add(ws, LOCAL, project.id, other, other.name, held_out=0)
    last = train(ws, project, "sft", first, second).model_id
    found = contamination.check(ws, LOCAL, data.id, [last], "train")
    assert (found.count, found.asked) == (data.train_rows, data.train_rows)
    assert contamination.check(ws, LOCAL, data.id, [last]).count == 0
    assert contamination.check(ws, LOCAL, data.id, [base.id], "train").count == 0


def test_contamination_counts_what_was_replayed_beside_votes(ws, tmp_path):
    project, base = helpers.project(ws), helpers.model(ws, tmp_path)
    replayed = helpers.dataset(ws, project.id, tmp_path)
    new = Model(
        id="model-replay", project_id=project.id, name="dpo", kind="adapter", source="trained",
        path="", base_id=base.id, info={REPLAY: {"dataset": replayed.id}}, created_at=0.0,
    )  # fmt: skip
    with writing(ws.db) as conn:
        models.add(conn, new)
    found = contamination.check(ws, LOCAL, replayed.id, [new.id], "train")
    assert (found.count, found.asked) == (replayed.train_rows, replayed.train_rows)
    assert contamination.check(ws, LOCAL, replayed.id, [base.id], "train").count == 0


def test_contamination_is_refused_to_raters(ws, tmp_path):
    with pytest.raises(Forbidden):
        contamination.check(ws, Actor(name="r", role=Role.RATER), "d", ["m"])
