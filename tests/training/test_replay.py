"""The examples that a training on votes replays are found when the job is made."""

import json

import pytest

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.errors import NotFound, UserError
from engine.core.model import Model
from engine.methods import dpo
from engine.services import model_card
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.training import estimate
from engine.store import models
from engine.store.connect import writing
from tests import helpers


def pairs(ws, project_id, folder):
    path = folder / "pairs.jsonl"
    lines = [{"prompt": f"Q {i}", "chosen": "yes", "rejected": "no"} for i in range(20)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return datasets.add(ws, LOCAL, project_id, path, path.name, held_out=0)


def kept(ws, project_id, base, **values):
    """A model that is known; nobody trained it."""
    new = Model(
        id=ids.new("model"), project_id=project_id, kind="adapter", source="trained",
        path="jobs/none/model", base_id=base.id, created_at=1.0, **values,
    )  # fmt: skip
    with writing(ws.db) as conn:
        models.add(conn, new)
    return new


@pytest.fixture
def world(ws, tiny_model, tmp_path):
    """(project, pairs, examples, base, a model that SFT made of the examples)."""
    one = helpers.project(ws)
    examples = helpers.dataset(ws, one.id, tmp_path)
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    learned = kept(ws, one.id, base, name="sft", dataset_id=examples.id, info={"method": "sft"})
    return one, pairs(ws, one.id, tmp_path), examples, base, learned


def test_submitted_job_stores_the_dataset_of_the_lineage(ws, world):
    one, votes, examples, base, learned = world
    asked = dpo.Recipe(model=learned.id, dataset=votes.id, replay_rows=4)
    assert lifecycle.submit(ws, LOCAL, one.id, asked).recipe["replay_dataset"] == examples.id
    plain = asked.model_copy(update={"replay_rows": 0})
    assert lifecycle.submit(ws, LOCAL, one.id, plain).recipe["replay_dataset"] is None
    with pytest.raises(UserError, match="Nothing to replay"):
        lifecycle.submit(ws, LOCAL, one.id, asked.model_copy(update={"model": base.id}))


def test_dataset_of_another_project_or_of_pairs_is_not_replayed(ws, world, tmp_path):
    one, votes, _, _, learned = world
    other = helpers.project(ws, "Other")
    foreign = helpers.dataset(ws, other.id, tmp_path)
    given = {"model": learned.id, "dataset": votes.id, "replay_rows": 4}
    with pytest.raises(NotFound):
        lifecycle.submit(ws, LOCAL, one.id, dpo.Recipe(**given, replay_dataset=foreign.id))
    with pytest.raises(UserError, match="cannot be replayed"):
        lifecycle.submit(ws, LOCAL, one.id, dpo.Recipe(**given, replay_dataset=votes.id))


def test_estimate_counts_the_replayed_rows(ws, world):
    one, votes, examples, base, _ = world
    plain = dpo.Recipe(model=base.id, dataset=votes.id, max_steps=100)
    more = plain.model_copy(update={"replay_rows": 8, "replay_dataset": examples.id})
    without = estimate.estimate(ws, LOCAL, one.id, plain)
    found = estimate.estimate(ws, LOCAL, one.id, more)
    assert found.memory["activations"] > without.memory["activations"]
    assert found.steps == without.steps
    asked = [
        estimate._work(estimate._Inputs(
            recipe, None, None, estimate.Lengths(mean=20, longest=20, whole=1, blocks=1),
            20, 0, None, replayed,
        ))
        for recipe, replayed in ((plain, 0), (more, 80))
    ]  # fmt: skip
    assert asked[1].tokens - asked[0].tokens == 100 * 80


def test_model_card_names_the_replayed_dataset(ws, world):
    one, votes, examples, base, _ = world
    info = {"dataset": examples.id, "rows": 30, "each": 4, "weight": 1.0}
    voted = kept(
        ws, one.id, base, name="voted", dataset_id=votes.id, info={"method": "dpo", "replay": info}
    )
    card = model_card.model_card(ws, LOCAL, voted.id)
    assert f"voted replayed 4 of 30 rows of {examples.label}" in card
    assert examples.sha256 in card
