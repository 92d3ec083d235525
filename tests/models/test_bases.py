"""Bases are removed: never under a model that needs them, and never a person's own files."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound
from engine.core.job_outcome import NewModel, Outcome
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.models import bases, registry
from engine.services.rating import identity_leaks, rounds
from engine.services.training import methods
from engine.store.connect import reading, writing
from engine.store.tables import model
from tests import helpers
from ui.components import names


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def base(ws):
    """A base that Tuneloop fetched, of three bytes."""
    folder = ws.files / "bases" / "makers--tiny--0"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"abc")
    return registry.add_base(ws, LOCAL, "makers/tiny", folder, "hub")


def queued(ws, project, base, tmp_path):
    data = helpers.dataset(ws, project.id, tmp_path)
    values = {"model": base.id, "dataset": data.id, "evaluate_after": False}
    return lifecycle.submit(ws, LOCAL, project.id, methods.known()["sft"](**values), "First"), data


def trained(ws, project, base, tmp_path, kind):
    job, data = queued(ws, project, base, tmp_path)
    new = NewModel(
        name="first", kind=kind, path="adapter", base_id=base.id, parent_id=None, dataset_id=data.id
    )
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(model=new))
    return registry.list_all(ws, LOCAL, project.id)[-1]


def test_removed_base_is_in_no_list_and_its_files_are_gone(ws, base):
    assert bases.remove(ws, LOCAL, base.id) == 3
    assert registry.list_all(ws, LOCAL) == []
    assert not (ws.files / base.path).exists()
    with pytest.raises(NotFound):
        registry.get(ws, LOCAL, base.id)


def test_folder_of_a_person_is_never_deleted(ws, tmp_path):
    own = helpers.model(ws, tmp_path)
    (tmp_path / "base" / "model.safetensors").write_bytes(b"mine")
    assert bases.remove(ws, LOCAL, own.id) == 0
    assert (tmp_path / "base" / "model.safetensors").read_bytes() == b"mine"
    assert registry.list_all(ws, LOCAL) == []


def test_base_stays_while_an_adapter_needs_it(ws, project, base, tmp_path):
    trained(ws, project, base, tmp_path, "adapter")
    with pytest.raises(Conflict, match=r"First needs makers/tiny"):
        bases.remove(ws, LOCAL, base.id)
    assert (ws.files / base.path).exists()


def test_base_stays_while_a_job_uses_it(ws, project, base, tmp_path):
    queued(ws, project, base, tmp_path)
    with pytest.raises(Conflict, match=r"First uses makers/tiny"):
        bases.remove(ws, LOCAL, base.id)


def test_base_stays_where_it_was_a_champion(ws, project, base):
    champion.promote(ws, LOCAL, project.id, base.id)
    with pytest.raises(Conflict, match="champion"):
        bases.remove(ws, LOCAL, base.id)


def test_model_with_all_its_weights_outlives_its_base(ws, project, base, tmp_path):
    full = trained(ws, project, base, tmp_path, "full")
    bases.remove(ws, LOCAL, base.id)
    line = [one.name for one in registry.lineage(ws, LOCAL, full.id)]
    assert line == [full.name, "makers/tiny"]


def test_round_keeps_the_name_of_a_base_that_was_removed(ws, project, tmp_path):
    one = helpers.open_round(ws, project.id, tmp_path)
    lifecycle.cancel(ws, LOCAL, lifecycle.list_all(ws, LOCAL, project.id)[0].id)
    bases.remove(ws, LOCAL, one.arm_new)
    assert rounds.get(ws, LOCAL, one.id).arm_new == one.arm_new
    assert names.of_models(ws, project.id, LOCAL)[one.arm_new] == "secret-new"


def test_name_of_a_base_from_the_hub_tells_without_its_organisation(ws, project, base, tmp_path):
    one = helpers.open_round(ws, project.id, tmp_path)
    with writing(ws.db) as conn:
        conn.execute(
            model.update().where(model.c.id == one.arm_base).values(name="mistralai/Zephyrus-7B")
        )
    with reading(ws.db) as conn:
        telling = identity_leaks.telling(conn, one)
    assert telling.identifies("I am Zephyrus.")
    assert not telling.identifies("Makers of tools write to mistralai.")


def test_only_an_owner_removes_a_base(ws, base):
    with pytest.raises(Forbidden):
        bases.remove(ws, Actor(name="trainer", role=Role.TRAINER), base.id)
    assert (ws.files / base.path).exists()


def test_base_is_found_by_name_or_id(ws, base):
    assert bases.by_name(ws, LOCAL, "makers/tiny").id == base.id
    assert bases.by_name(ws, LOCAL, base.id).id == base.id
    with pytest.raises(NotFound, match="Known: makers/tiny"):
        bases.by_name(ws, LOCAL, "other")
