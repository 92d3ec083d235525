"""From a model back to the votes it learned from."""

import time

import pytest

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.errors import NotFound
from engine.core.model import Model
from engine.services.preferences import build, lineage
from engine.store import models
from engine.store.connect import writing
from tests import helpers
from tests.rating.votes_in_tables import arms, filled


@pytest.fixture
def trained(ws, tmp_path):
    """A round, the export of its votes, and an adapter trained on that."""
    both = arms(ws, tmp_path)
    one = filled(ws, helpers.project(ws).id, both)
    made = build.make(ws, LOCAL, one.project_id)
    (ws.files / "jobs/job-1/adapter").mkdir(parents=True)
    adapter = Model(
        id=ids.new("model"), project_id=one.project_id, name="DPO", kind="adapter",
        source="trained", path="jobs/job-1/adapter", base_id=both[0].id,
        dataset_id=made.dataset_id, created_at=time.time(),
    )  # fmt: skip
    with writing(ws.db) as conn:
        models.add(conn, adapter)
    return one, made, adapter


def test_lineage_of_an_adapter_names_its_votes_and_rounds(ws, trained):
    one, made, adapter = trained
    first, base = lineage.of_model(ws, LOCAL, adapter.id)
    assert (first["model"], base["model"]) == ("DPO", "arm-new")
    assert first["pairs"]["content_sha256"] == made.content_sha256
    assert first["pairs"]["watermark"] == made.watermark
    assert first["votes_gone"] == 0
    told = first["pairs"]["rounds"][0]
    assert (told["id"], told["plan_sha256"]) == (one.id, one.plan_sha256)
    assert (told["models"], told["temperature"]) == ([one.arm_new, one.arm_base], 0.9)
    assert "pairs" not in base


def test_model_that_does_not_exist_has_no_lineage(ws, trained):
    with pytest.raises(NotFound):
        lineage.of_model(ws, LOCAL, "model-none")
