"""Invitations: what is stored, what a link opens, and what it no longer opens."""

import pytest
from sqlalchemy import text

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.services.rating import invites
from engine.store.connect import reading
from tests import helpers


def test_invitation_link_is_stored_only_as_hash(ws):
    project = helpers.project(ws)
    token = invites.make(ws, LOCAL, project.id, "  Ada   Lovelace ")
    found = invites.accept(ws, token)
    assert (found.rater, found.project_id) == ("Ada Lovelace", project.id)
    assert invites.rater_of(found).role == Role.RATER
    with reading(ws.db) as conn:
        stored = str(conn.execute(text("SELECT * FROM invite")).all())
    assert token not in stored


def test_invitation_that_is_withdrawn_or_unknown_opens_nothing(ws):
    project = helpers.project(ws)
    token = invites.make(ws, LOCAL, project.id, "Ada")
    [listed] = invites.list_all(ws, LOCAL, project.id)
    invites.revoke(ws, LOCAL, listed.id)
    with pytest.raises(Forbidden, match="withdrawn"):
        invites.accept(ws, token)
    with pytest.raises(NotFound):
        invites.accept(ws, "no-such-token")


def test_two_people_of_one_name_are_two_raters_in_votes(ws):
    one, other = helpers.project(ws, "One"), helpers.project(ws, "Two")
    names = {
        invites.rater_of(invites.accept(ws, invites.make(ws, LOCAL, each.id, "Ada"))).name
        for each in (one, other)
    }
    assert len(names) == 2


def test_invitation_is_unique_until_it_is_withdrawn(ws):
    project = helpers.project(ws)
    invites.make(ws, LOCAL, project.id, "Ada")
    with pytest.raises(UserError, match="invited already"):
        invites.make(ws, LOCAL, project.id, "Ada")
    invites.revoke(ws, LOCAL, invites.list_all(ws, LOCAL, project.id)[0].id)
    assert invites.make(ws, LOCAL, project.id, "Ada")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\u202eb"])
def test_invitation_needs_a_known_name(ws, name):
    with pytest.raises(UserError, match="name of a person"):
        invites.make(ws, LOCAL, helpers.project(ws).id, name)


def test_invitation_is_refused_to_raters(ws):
    project = helpers.project(ws)
    with pytest.raises(Forbidden):
        invites.make(ws, Actor(name="a", role=Role.RATER), project.id, "Ada")
