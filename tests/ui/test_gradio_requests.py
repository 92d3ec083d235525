"""What reaches Gradio's routes is bounded, and what no page sends is a sentence without a trace."""

import json
import logging
import os

import pytest
from fastapi.testclient import TestClient

from engine.http_limits import MB
from engine.workspace import Settings, open_workspace
from ui import server
from ui.web import errors

LONG = "h" * 65
API = "/gradio_api"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    home = tmp_path_factory.mktemp("gradio")
    before = os.environ.get("GRADIO_TEMP_DIR", "")
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    yield server.create_app(ws)
    ws.close()
    os.environ["GRADIO_TEMP_DIR"] = before


@pytest.fixture
def client(app, monkeypatch):
    monkeypatch.setattr(errors, "_written", {})
    with TestClient(app, base_url="http://127.0.0.1") as ours:
        yield ours


@pytest.fixture
def quiet(caplog, capfd):
    """No traceback is written, by whichever way a library has to."""
    caplog.set_level(logging.ERROR)
    yield
    written = capfd.readouterr()
    assert "Traceback" not in caplog.text + written.out + written.err


def is_sentence(got, status):
    assert got.status_code == status, got.text
    assert len(got.content) < 500
    assert got.json()["detail"].endswith("."), got.text
    return True


@pytest.fixture
def keeps_nothing(app):
    """No session is kept that was not there before."""
    (state,) = [each.app.state_holder for each in app.routes[-1:]]
    queue = app.state.demo._queue

    def kept():
        return {*state.session_data, *queue.pending_messages_per_session,
                *queue.pending_event_ids_session}  # fmt: skip

    before = kept()
    yield
    assert kept() == before


@pytest.mark.usefixtures("quiet", "keeps_nothing")
@pytest.mark.parametrize("name", [LONG, "", "a b", "\ud800", "a/b", 7, ["a"]], ids=repr)
@pytest.mark.parametrize(
    "path", ["run/predict", "api/predict", "queue/join", "cancel", "reset", "component_server"]
)
def test_session_of_another_form_is_refused_before_it_is_kept(client, path, name):
    body = {"data": [], "fn_index": 0, "session_hash": name, "event_id": "a", "component_id": 1,
            "fn_name": "a"}  # fmt: skip
    assert is_sentence(_post(client, path, body), 422)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "path",
    ["heartbeat/" + LONG, f"stream/{LONG}/a/1/playlist-file", "queue/data?session_hash=" + LONG,
     "deep_link?session_hash=" + LONG, "upload_progress?upload_id=" + LONG],
)  # fmt: skip
def test_name_of_another_form_in_an_address_is_refused(client, path):
    assert is_sentence(client.get(f"{API}/{path}"), 422)


def test_upload_under_a_name_of_another_form_is_refused(client):
    got = client.post(f"{API}/upload?upload_id={LONG}", files={"files": ("a.txt", b"a")})
    assert is_sentence(got, 422)
    got = client.post(f"{API}/upload?upload_id=abc", files={"files": ("a.txt", b"a")})
    assert got.status_code == 200


@pytest.mark.usefixtures("quiet", "keeps_nothing")
@pytest.mark.parametrize("number", ["-1", "NaN", "99999", '"a"', "true", "null", "1e999", "[]"])
@pytest.mark.parametrize("path", ["run/predict", "run/nobody", "api/predict/", "queue/join"])
def test_event_that_is_not_there_is_refused(client, path, number):
    body = f'{{"data": [], "fn_index": {number}, "session_hash": "abc"}}'
    assert is_sentence(_post(client, path, body), 404)


@pytest.mark.usefixtures("quiet", "keeps_nothing")
@pytest.mark.parametrize("path", ["call/x", "call/v2/x", "call/lambda"])
def test_way_of_other_programs_is_closed(client, path):
    assert is_sentence(_post(client, path, {"data": [], "session_hash": "abc"}), 404)
    assert is_sentence(client.get(f"{API}/{path}/abc"), 404)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "body",
    [
        "{}", "[]", "null", "{", "[" * 100_000, '{"data": ' + "9" * 5000 + "}", b"\xff",
        '{"data": "\\ud800"}', '{"data": NaN, "fn_index": 0}',
        '{"data": "x", "fn_index": 0, "session_hash": "abc"}',
        "{" + ",".join(f'"k{n}": 1' for n in range(100_000)) + "}",
    ],
    ids=lambda body: str(body[:20]),
)  # fmt: skip
@pytest.mark.parametrize("path", ["queue/join", "cancel"])
def test_body_that_no_page_sends_is_not_repeated(client, path, body):
    assert is_sentence(_post(client, path, body), 422)


@pytest.mark.usefixtures("quiet")
def test_stream_of_a_session_that_nobody_began_is_refused(client):
    assert is_sentence(client.get(f"{API}/queue/data?session_hash=nobody"), 404)
    assert is_sentence(client.get(f"{API}/queue/data"), 422)


def test_largest_body_of_an_event_is_two_megabytes(client):
    got = _post(client, "queue/join", '{"data": ["' + "x" * 2 * MB + '"]}')
    assert (got.status_code, got.text) == (413, "This request is larger than 2 MB.")


def test_event_of_the_page_runs(app, client):
    number = next(n for n, fn in app.state.demo.fns.items() if fn.fn and not fn.inputs)
    body = {"data": [], "fn_index": number, "session_hash": "abc-_9"}
    assert _post(client, "run/predict", body).status_code == 200
    assert "event_id" in _post(client, "queue/join", body).json()


def _post(client, path, body):
    if isinstance(body, dict):
        body = json.dumps(body)
    return client.post(f"{API}/{path}", content=body, headers={"content-type": "application/json"})
