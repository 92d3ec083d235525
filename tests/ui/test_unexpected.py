"""What a library trips over is one sentence for whoever asked, and one traceback an hour."""

import logging

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient

from ui.web import errors
from ui.web.unexpected import Unexpected


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(errors, "_written", {})
    inner = FastAPI()

    @inner.get("/breaks")
    def breaks():
        raise KeyError("page")

    @inner.get("/refuses")
    def refuses():
        return JSONResponse({"error": "No model is chosen."}, 500)

    @inner.get("/stops")
    def stops():
        def pieces():
            yield b"begun"
            raise KeyError("later")

        return StreamingResponse(pieces())

    app = FastAPI()
    app.add_middleware(Unexpected)
    app.mount("/", inner)
    return TestClient(app)  # which raises what an app lets through


def test_unexpected_error_of_a_mounted_app_is_a_sentence(client):
    got = client.get("/breaks")
    assert (got.status_code, got.json()) == (500, {"problem": errors.BUG, "fix": ""})


def test_unexpected_error_writes_one_traceback_for_many_requests(client, caplog):
    caplog.set_level(logging.ERROR)
    for _ in range(5):
        client.get("/breaks")
    assert caplog.text.count("Traceback") == 1
    assert caplog.text.count("failed again: KeyError") == 4


def test_answer_that_says_500_itself_passes_as_it_is(client, caplog):
    got = client.get("/refuses")
    assert (got.status_code, got.json()) == (500, {"error": "No model is chosen."})
    assert caplog.text == ""


def test_answer_that_breaks_off_keeps_what_was_sent(client):
    assert client.get("/stops").text == "begun"
