"""Models with all their weights trained, and judges: where their files lie, and their lineage."""

import time

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import NotFound
from engine.core.model import Model
from engine.services import projects
from engine.services.models import registry
from engine.store import models as store
from engine.store.connect import writing


@pytest.fixture
def family(ws, tmp_path):
    """A base; an adapter of it; all weights from that; of these an adapter and two judges."""
    project = projects.create(ws, LOCAL, "Family")
    (tmp_path / "base").mkdir()
    base = registry.add_base(ws, LOCAL, "base", tmp_path / "base", "folder")
    rows = [
        ("adapter-1", "adapter", base.id, None, "lora"),
        ("full-1", "full", base.id, "adapter-1", "full"),
        ("adapter-2", "adapter", "full-1", None, "lora"),
        ("judge-1", "reward", "full-1", None, "lora"),
        ("judge-2", "reward", "full-1", None, "full"),
    ]
    with writing(ws.db) as conn:
        for number, (name, kind, base_id, parent_id, tuning) in enumerate(rows):
            (ws.files / "jobs" / name).mkdir(parents=True)
            store.add(
                conn,
                Model(
                    id=name,
                    project_id=project.id,
                    name=name,
                    kind=kind,
                    source="trained",
                    path=f"jobs/{name}",
                    base_id=base_id,
                    parent_id=parent_id,
                    info={"tuning": tuning},
                    created_at=time.time() + number,
                ),
            )
    return project, base


@pytest.mark.parametrize(
    ("name", "base", "adapter"),
    [
        ("full-1", "jobs/full-1", None),
        ("adapter-2", "jobs/full-1", "jobs/adapter-2"),
        ("judge-1", "jobs/full-1", "jobs/judge-1"),
        ("judge-2", "jobs/judge-2", None),
    ],
)
def test_every_model_finds_the_weights_it_needs(ws, family, name, base, adapter):
    found = registry.files(ws, registry.get(ws, LOCAL, name))
    assert found.base == ws.files / base
    assert found.adapter == (adapter and ws.files / adapter)


def test_adapter_of_the_base_still_finds_it(ws, family):
    found = registry.files(ws, registry.get(ws, LOCAL, "adapter-1"))
    assert str(found.base) == family[1].path


def test_lineage_goes_down_to_the_base(ws, family):
    chain = [model.id for model in registry.lineage(ws, LOCAL, "adapter-2")]
    assert chain == ["adapter-2", "full-1", "adapter-1", family[1].id]


def test_bases_come_first_whatever_else_there_is(ws, family):
    found = registry.list_all(ws, LOCAL, family[0].id)
    assert [model.kind for model in found] == [
        "base", "adapter", "full", "adapter", "reward", "reward"
    ]  # fmt: skip


def test_missing_base_folder_is_reported(ws, family):
    (ws.files / "jobs" / "full-1").rmdir()
    with pytest.raises(NotFound, match="adapter-2 are not in the data folder any more"):
        registry.files(ws, registry.get(ws, LOCAL, "adapter-2"))
