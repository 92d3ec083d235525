"""API keys: shown once, kept as hashes, closed with the account of their maker."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, SignedOut, UserError
from engine.services import projects
from engine.services.people import accounts, api_keys


@pytest.fixture
def project(ws):
    return projects.create(ws, LOCAL, "Support")


def test_key_is_stored_only_as_hash_and_opens_its_project_alone(ws, project):
    other = projects.create(ws, LOCAL, "Other")
    key, token = api_keys.make(ws, LOCAL, project.id, "My  script")
    assert key.name == "My script"
    assert token.startswith("tl-")
    found, actor = api_keys.holder(ws, token)
    assert found.id == key.id
    assert actor.sees(project.id)
    assert not actor.sees(other.id)
    with ws.db.connect() as conn:
        stored = conn.exec_driver_sql("SELECT * FROM api_key").fetchall()
    assert token not in repr(stored)
    assert token[3:] not in repr(stored)
    assert [one.used_at is not None for one in api_keys.list_all(ws, LOCAL, project.id)] == [True]


def test_closed_key_opens_nothing(ws, project):
    key, token = api_keys.make(ws, LOCAL, project.id, "Script")
    assert api_keys.close(ws, LOCAL, key.id).status == "closed"
    for wrong in (token, token + "x", "", "tl-"):
        with pytest.raises(SignedOut):
            api_keys.holder(ws, wrong)
    api_keys.make(ws, LOCAL, project.id, "Script")


def test_key_does_what_its_maker_may_do_now(ws, project):
    person, _ = accounts.add(ws, LOCAL, "Ana", "trainer", [project.id])
    ana = Actor(name="Ana", role=Role.TRAINER, projects=frozenset({project.id}))
    _, token = api_keys.make(ws, ana, project.id, "Script")
    assert api_keys.holder(ws, token)[1].role is Role.TRAINER
    accounts.change(ws, LOCAL, person.id, "rater", [project.id])
    assert api_keys.holder(ws, token)[1].role is Role.RATER
    accounts.change(ws, LOCAL, person.id, "trainer", [])
    with pytest.raises(Forbidden, match="left this project"):
        api_keys.holder(ws, token)
    accounts.close(ws, LOCAL, person.id)
    with pytest.raises(Forbidden, match="closed"):
        api_keys.holder(ws, token)


def test_key_of_another_project_does_not_exist(ws, project):
    key, _ = api_keys.make(ws, LOCAL, project.id, "Script")
    stranger = Actor(name="Bo", role=Role.TRAINER, projects=frozenset({"project-x"}))
    rater = Actor(name="Cy", role=Role.RATER, projects=frozenset({project.id}))
    with pytest.raises(NotFound):
        api_keys.close(ws, stranger, key.id)
    with pytest.raises(NotFound):
        api_keys.make(ws, stranger, project.id, "Theirs")
    for call in (
        lambda: api_keys.make(ws, rater, project.id, "Theirs"),
        lambda: api_keys.list_all(ws, rater, project.id),
        lambda: api_keys.close(ws, rater, key.id),
    ):
        with pytest.raises(Forbidden):
            call()


@pytest.mark.parametrize(("name", "many"), [("", 1), ("x" * 61, 1), ("a\x00", 1), ("ok", 0)])
def test_key_that_makes_no_sense_is_refused(ws, project, name, many):
    with pytest.raises(UserError):
        api_keys.make(ws, LOCAL, project.id, name, requests_per_minute=many)


def test_two_open_keys_of_one_name_are_refused(ws, project):
    api_keys.make(ws, LOCAL, project.id, "Script")
    with pytest.raises(Conflict):
        api_keys.make(ws, LOCAL, project.id, "Script")
