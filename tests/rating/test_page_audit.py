"""What the rating routes refuse is listed on the Rating page; an owner looks early, on record."""

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.core.errors import Conflict, UserError
from engine.services.rating import audit, invites, rounds
from tests import helpers
from tests.ui import seed
from ui.pages.rating import raters, routes, tab
from ui.pages.rating.refresh import RatingView


@pytest.fixture
def one(ws, tmp_path):
    return seed.open_round(ws, tmp_path, purpose="blind_eval", pairs=8)


@pytest.fixture
def client(ws):
    app = FastAPI()
    app.include_router(routes.router(ws))
    return TestClient(app)


def found(ws, one):
    lines = audit.entries(ws, LOCAL, one.project_id)
    return [(line.kind, line.round_id, line.times) for line in lines]


def outcome(ws, one):
    return tab.read(ws, one.project_id, one.id)["outcome"]


def view(one):
    return RatingView(round_id=one.id)


@pytest.mark.parametrize(
    "wrong", [{"choice": "new"}, {"key": "k" * 65}, {"model": "secret-new"}, {"via": "script"}]
)
def test_invalid_vote_is_recorded_with_its_round(client, ws, one, wrong):
    shown = client.get(f"/api/rate/{one.id}/next").json()["comparison"]
    body = {"token": shown["token"], "key": "key-00000001", "choice": "left"}
    assert client.post("/api/rate/vote", json=body | wrong).status_code == 422
    assert found(ws, one) == [("not_a_vote", one.id, 1)]


@pytest.mark.parametrize(
    "body", ['["token"]', '{"token": 7}', '{"token": "\\u0000"}', '{"token": "\\ud800"}', ""]
)
def test_invalid_request_is_recorded_without_a_round(client, ws, one, body):
    json = {"Content-Type": "application/json"}
    sent = client.post("/api/rate/vote", content=body, headers=json)
    assert sent.status_code == 422
    assert found(ws, one) == [("not_a_vote", None, 1)]


def test_forged_and_foreign_tokens_and_closed_rounds_are_recorded(client, ws, one):
    shown = client.get(f"/api/rate/{one.id}/next").json()["comparison"]
    other = TestClient(client.app)
    other.get(f"/api/rate/{one.id}/next")
    body = {"token": shown["token"], "key": "key-00000001", "choice": "left"}
    assert other.post("/api/rate/vote", json=body).status_code == 404
    for forged in ("forged", "\0", "é"):
        sent = other.post("/api/rate/vote", json=body | {"token": forged})
        assert sent.status_code == 404
    rounds.close(ws, LOCAL, one.id)
    assert client.post("/api/rate/vote", json=body).status_code == 409
    assert sorted(kind for kind, _, _ in found(ws, one)) == [
        "closed_round", "forged_token", "others_token"
    ]  # fmt: skip


def test_round_outside_the_invitation_is_recorded_in_its_project(client, ws, one):
    elsewhere = helpers.project(ws, "Elsewhere")
    client.cookies.set("tl_rater", invites.make(ws, LOCAL, elsewhere.id, "Ada"))
    assert client.get(f"/api/rate/{one.id}/next").status_code == 404
    assert found(ws, one) == [("foreign_round", one.id, 1)]


def test_audit_panel_lists_entries_as_text_and_offers_an_early_look(ws, one):
    html, glass = raters.recorded(ws, view(one))
    assert raters.NOTHING in html
    assert glass.visible
    rounds.break_glass(ws, LOCAL, one.id, "<script>alert(1)</script>")
    rounds.close(ws, LOCAL, one.id)
    html, glass = raters.recorded(ws, view(one))
    assert f"{one.name} · local (owner) looked at the interim result" in html
    assert "<script" not in html
    assert not glass.visible


def test_round_that_is_not_blind_offers_no_early_look(ws, tmp_path):
    _, glass = raters.recorded(ws, view(seed.open_round(ws, tmp_path)))
    assert not glass.visible


def test_early_look_shows_the_tally_once_and_the_page_still_hides_it(ws, one):
    seed.prefer_new(ws, one)
    with pytest.raises(UserError, match="reason"):
        raters.look_early(ws, view(one), "")
    seen, sure, reason, html, glass = raters.look_early(ws, view(one), "unsafe?")
    assert f"{one.name}: The new model: wins 8, losses 0" in seen
    assert (sure.visible, reason, glass.visible) == (False, "", True)
    assert "Their reason: unsafe?" in html
    assert "wins 8" not in outcome(ws, one) + html
    rounds.close(ws, LOCAL, one.id)
    assert "looked at early, by local" in outcome(ws, one)
    with pytest.raises(Conflict):
        raters.look_early(ws, view(one), "again")


def test_early_look_disappears_when_the_round_closes_or_changes(ws, one, tmp_path):
    before = view(one)
    glass, sure, seen = raters.possible(ws, before)
    assert glass.visible
    assert sure == seen == gr.skip()
    rounds.close(ws, LOCAL, one.id)
    other = seed.open_round(ws, tmp_path, project=one.project_id)
    for now in (view(one), view(other), RatingView()):
        glass, sure, seen = raters.possible(ws, now)
        assert (glass.visible, sure.visible, seen) == (False, False, "")


def test_audit_panel_without_a_round_is_empty(ws):
    assert raters.recorded(ws, RatingView())[0] == ""
    with pytest.raises(UserError, match="No round"):
        raters.look_early(ws, RatingView(), "why")
