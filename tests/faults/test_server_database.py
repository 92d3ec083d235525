"""PostgreSQL stops, as in a crash, and comes back while people vote."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.services.rating import rounds
from engine.store import votes
from engine.store.connect import reading
from engine.workspace import Settings, open_workspace
from tests import helpers, postgres
from ui.pages.rating import routes

pytestmark = pytest.mark.postgres


def test_votes_go_on_after_the_database_server_was_killed(home, tmp_path):
    with postgres.serving() as server:
        server.stop()
        server.start("")  # with fsync, as a server of votes runs
        ws = open_workspace(Settings(home=home, database_url=server.create("votes")))
        one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, pairs=24)
        app = FastAPI()
        app.include_router(routes.router(ws))
        rater = TestClient(app)

        def vote(shown, key):
            ballot = {"token": shown["token"], "key": key, "choice": "left"}
            return rater.post("/api/rate/vote", json=ballot)

        shown = rater.get(f"/api/rate/{one.id}/next").json()["comparison"]
        first = vote(shown, "key-00000001")
        second = first.json()["comparison"]
        server.stop()
        refused = vote(second, "key-00000002")
        assert refused.status_code == 503
        assert "was not saved" in refused.json()["problem"]
        server.start("")
        again = vote(second, "key-00000002")  # as the page sends it again
        assert again.status_code == 200, again.text
        with reading(ws.db) as conn:
            assert len(votes.live(conn, [one.id])) == 2
        assert rounds.get(ws, LOCAL, one.id).status == "open"
        ws.close()
