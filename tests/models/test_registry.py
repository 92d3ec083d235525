"""In which order the models of a project are offered, by which names, and on which weights."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.core.actor import LOCAL
from engine.core.errors import NotFound, UserError
from engine.core.job_outcome import NewModel, Outcome
from engine.models import weights_file
from engine.services import job_outcomes, projects
from engine.services.models import registry
from engine.store import models as store
from engine.store.connect import writing
from tests import helpers
from tests.loop import loop_in_tables
from tests.ui import results


def test_models_list_puts_search_trials_before_real_trainings(ws, tmp_path):
    project = projects.create(ws, LOCAL, "one")
    base = helpers.model(ws, tmp_path)
    first, second = (
        loop_in_tables.trained(ws, project, name, base, "sft") for name in ("first", "second")
    )
    trial = second.model_copy(
        update={
            "id": "model-trial",
            "path": "jobs/search/trainings/trial-3/adapter",
            "is_trial": True,
            "created_at": second.created_at + 5,
        }
    )
    with writing(ws.db) as conn:
        store.add(conn, trial)
    found = registry.list_all(ws, LOCAL, project.id)
    assert [one.id for one in found] == [base.id, trial.id, first.id, second.id]


def base_folder(tmp_path, name, seed=0):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    for file in ("config.json", "tokenizer.json"):
        (folder / file).write_text("{}")
    rng = np.random.default_rng(seed)
    save_file({"w": rng.standard_normal((300, 300), dtype=np.float32)}, folder / "w.safetensors")
    return folder


def adapter_on(ws, tmp_path, folder):
    project = projects.create(ws, LOCAL, "one").id
    base = registry.add_base(ws, LOCAL, "mine", folder, "folder")
    data = helpers.dataset(ws, project, tmp_path)
    job = helpers.claimed(ws, results.submit(ws, project, "sft", model=base.id, dataset=data.id).id)
    (ws.files / "jobs" / job.id / "adapter").mkdir(parents=True)
    new = NewModel(
        name="tuned", path="adapter", base_id=base.id, parent_id=None, dataset_id=data.id
    )
    job_outcomes.store(ws, job, Outcome(model=new))
    return base, registry.list_all(ws, LOCAL, project)[-1]


def test_base_replaced_under_its_adapter_is_noticed(ws, tmp_path):
    folder = base_folder(tmp_path, "mine")
    base, adapter = adapter_on(ws, tmp_path, folder)
    assert registry.files(ws, adapter).base == folder
    base_folder(tmp_path, "mine", seed=1)
    with pytest.raises(UserError, match="weights of mine are no longer those that") as error:
        registry.files(ws, adapter)
    assert "Put the old weights back" in error.value.fix
    assert registry.files(ws, base).base == folder  # the new base itself is a sound model
    base_folder(tmp_path, "mine")
    assert registry.files(ws, adapter).base == folder


def test_missing_base_is_to_be_put_back_and_not_trained_again(ws, tmp_path):
    base = helpers.model(ws, tmp_path)
    shutil.rmtree(base.path, ignore_errors=True)
    with pytest.raises(NotFound, match=f"base model {base.name}") as refused:
        registry.files(ws, base)
    assert "add the base model again" in refused.value.fix


def test_sampled_fingerprint_sees_other_weights_names_and_sizes(tmp_path):
    first = weights_file.sampled(base_folder(tmp_path, "a"))
    assert first == weights_file.sampled(base_folder(tmp_path, "b"))
    assert first != weights_file.sampled(base_folder(tmp_path, "b", seed=1))
    folder = base_folder(tmp_path, "a")
    (folder / "w.safetensors").rename(folder / "other.safetensors")
    assert first != weights_file.sampled(folder)
    assert weights_file.sampled(tmp_path) == ""


def test_changed_default_takes_effect_under_its_own_name(ws, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNELOOP_MODEL", str(base_folder(tmp_path, "first-model")))
    assert not registry.default_is_known(ws, LOCAL)
    first = registry.default_model(ws, LOCAL)
    assert first.name == "first-model"
    assert registry.default_is_known(ws, LOCAL)
    monkeypatch.setenv("TUNELOOP_MODEL", str(base_folder(tmp_path, "second-model")))
    assert not registry.default_is_known(ws, LOCAL)
    assert registry.default_model(ws, LOCAL).name == "second-model"
    monkeypatch.setenv("TUNELOOP_MODEL", first.path)
    assert registry.default_model(ws, LOCAL).id == first.id
    monkeypatch.delenv("TUNELOOP_MODEL")
    assert registry.default_model(ws, LOCAL).id == first.id
    assert registry.default_is_known(ws, LOCAL)
