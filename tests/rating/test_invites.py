"""Invitations: what is stored, what a link opens, and what it no longer opens."""

import time
from concurrent.futures import ThreadPoolExecutor

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


DAY_S = 24 * 3600


@pytest.fixture
def clock(monkeypatch):
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_invitation_ends_after_its_days(ws, clock):
    project = helpers.project(ws)
    token = invites.make(ws, LOCAL, project.id, "Ada", days=3)
    clock[0] += 3 * DAY_S - 1
    assert invites.accept(ws, token)
    clock[0] += 2
    with pytest.raises(Forbidden, match="has ended"):
        invites.accept(ws, token)
    with pytest.raises(Forbidden, match="has ended"):
        invites.join(ws, token)
    [listed] = invites.list_all(ws, LOCAL, project.id)
    assert (listed.state, listed.sentence[:9]) == ("ended", "ended on ")
    assert invites.make(ws, LOCAL, project.id, "Ada")  # the name is free again


def test_invitation_ends_after_a_month_unless_it_is_said_otherwise(ws, clock):
    project = helpers.project(ws)
    usual = invites.make(ws, LOCAL, project.id, "Ada")
    endless = invites.make(ws, LOCAL, project.id, "Ben", days=None)
    clock[0] += invites.DAYS * DAY_S + 1
    with pytest.raises(Forbidden):
        invites.accept(ws, usual)
    clock[0] += 3000 * DAY_S
    assert invites.accept(ws, endless)
    sentences = {one.rater: one.sentence for one in invites.list_all(ws, LOCAL, project.id)}
    assert sentences["Ben"] == "never ends"


def test_invitation_for_two_browsers_opens_in_two(ws):
    project = helpers.project(ws)
    token = invites.make(ws, LOCAL, project.id, "Ada", most_browsers=2)
    for _ in range(5):  # a program that looks at links comes back with nothing
        invites.join(ws, token)
    first, second, third = (invites.join(ws, token) for _ in range(3))
    for held in (first, second, first, second):
        assert invites.accept(ws, held).rater == "Ada"
    with pytest.raises(Forbidden, match="for 2 browsers"):
        invites.accept(ws, third)
    with pytest.raises(Forbidden, match="for 2 browsers"):
        invites.join(ws, token)
    [listed] = invites.list_all(ws, LOCAL, project.id)
    assert (listed.state, listed.browsers) == ("used up", 2)
    assert listed.sentence.endswith("; 2 of 2 browsers")
    invites.revoke(ws, LOCAL, listed.id)
    with pytest.raises(Forbidden, match="withdrawn"):
        invites.accept(ws, first)


def test_invitation_for_one_browser_is_not_opened_by_its_token_alone(ws):
    token = invites.make(ws, LOCAL, helpers.project(ws).id, "Ada", most_browsers=1)
    with pytest.raises(Forbidden, match="opened by its link"):
        invites.accept(ws, token)
    other = invites.make(ws, LOCAL, helpers.project(ws, "Other").id, "Eve", most_browsers=1)
    held = invites.join(ws, other)
    assert invites.accept(ws, held).rater == "Eve"
    assert invites.accept(ws, f"{token}.{held.partition('.')[2]}").rater == "Ada"  # its own place
    with pytest.raises(Forbidden, match="for one browser"):
        invites.accept(ws, f"{token}.another")


def test_invitation_for_three_browsers_opens_in_three_of_many_at_once(ws):
    token = invites.make(ws, LOCAL, helpers.project(ws).id, "Ada", most_browsers=3)

    def opened(held):
        try:
            return bool(invites.accept(ws, held))
        except Forbidden:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(opened, [invites.join(ws, token) for _ in range(16)])) == 3


@pytest.mark.parametrize("limits", [{"days": 0}, {"days": 4000}, {"most_browsers": 0}])
def test_invitation_without_sense_is_refused(ws, limits):
    with pytest.raises(UserError, match="or no limit"):
        invites.make(ws, LOCAL, helpers.project(ws).id, "Ada", **limits)
