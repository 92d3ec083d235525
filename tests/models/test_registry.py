"""In which order the models of a project are offered."""

from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.models import registry
from engine.store import models as store
from engine.store.connect import writing
from tests import helpers
from tests.loop import lines


def test_models_list_puts_search_trials_before_real_trainings(ws, tmp_path):
    project = projects.create(ws, LOCAL, "one")
    base = helpers.model(ws, tmp_path)
    first, second = (lines.trained(ws, project, name, base, "sft") for name in ("first", "second"))
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
