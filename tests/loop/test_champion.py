"""The champion: promoted, taken back, never rewritten."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound
from engine.services.loop import champion
from tests import helpers


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def promote(ws, project, *found):
    for model in found:
        champion.promote(ws, LOCAL, project.id, model.id, f"{model.name} won")


def test_new_project_has_no_champion(ws, project):
    assert champion.current(ws, LOCAL, project.id) is None


def test_champion_reverted_twice_is_the_first_one(ws, project, tmp_path):
    a, b, c = (helpers.model(ws, tmp_path, name) for name in "abc")
    promote(ws, project, a, b, c)
    champion.roll_back(ws, LOCAL, project.id)
    assert champion.current(ws, LOCAL, project.id).name == "b"
    champion.roll_back(ws, LOCAL, project.id, "b was worse too")
    assert champion.current(ws, LOCAL, project.id).name == "a"
    with pytest.raises(Conflict, match="no champion before"):
        champion.roll_back(ws, LOCAL, project.id)


def test_every_decision_stays_on_record(ws, project, tmp_path):
    a, b = (helpers.model(ws, tmp_path, name) for name in "ab")
    promote(ws, project, a, b)
    champion.roll_back(ws, LOCAL, project.id, "people complained")
    decided = champion.list_all(ws, LOCAL, project.id)
    assert [(d.model_id, d.reason) for d in decided] == [
        (a.id, "people complained"), (b.id, "b won"), (a.id, "a won")
    ]  # fmt: skip


def test_champion_cannot_be_promoted_again(ws, project, tmp_path):
    a = helpers.model(ws, tmp_path, "a")
    promote(ws, project, a)
    with pytest.raises(Conflict, match="already"):
        promote(ws, project, a)


def test_each_project_has_its_own_champion(ws, project, tmp_path):
    promote(ws, project, helpers.model(ws, tmp_path, "a"))
    other = helpers.project(ws, "other")
    assert champion.current(ws, LOCAL, other.id) is None


def test_champion_is_not_changed_by_raters(ws, project, tmp_path):
    rater = Actor(name="r", role=Role.RATER)
    with pytest.raises(Forbidden):
        champion.promote(ws, rater, project.id, helpers.model(ws, tmp_path).id)


def test_unknown_model_is_refused(ws, project):
    with pytest.raises(NotFound):
        champion.promote(ws, LOCAL, project.id, "model-none")
