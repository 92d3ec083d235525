"""The API that the Models page starts: it answers, stops, and ends with the web server."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import openai
import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, Unfinished, UserError
from engine.services import projects
from engine.services.models import api_lock, api_process, registry
from engine.workspace import Settings, open_workspace
from tests.serving import free_port

ASKED = [{"role": "user", "content": "Hello, who are you?"}]
PARENT = """
import time
from engine.core.actor import LOCAL
from engine.services.models import api_process
from engine.workspace import open_workspace
print(api_process.start(open_workspace(), LOCAL).address, flush=True)
time.sleep(600)
"""


@pytest.fixture
def ws(home, tiny_model, monkeypatch):
    """A workspace on SQLite with a base, and a port for the API that nobody else uses."""
    monkeypatch.setenv(api_process.PORT, str(free_port()))
    monkeypatch.delenv(api_process.HOST, raising=False)
    found = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    registry.add_base(found, LOCAL, "tiny", tiny_model, "folder")
    projects.create(found, LOCAL, "Support")
    yield found
    api_process.stop(found, LOCAL)
    found.close()


def wait_for(found):
    """Until it holds; the tests' own limit on time ends one that never does."""
    while not found():
        time.sleep(0.05)


def answer(address):
    with openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=120) as client:
        said = client.chat.completions.create(model="tiny", messages=ASKED, max_tokens=4)
    return said.usage.completion_tokens


@pytest.mark.train
def test_api_answers_while_it_is_started_and_not_after_it_is_stopped(ws):
    assert api_process.look(ws, LOCAL).state == "off"
    found = api_process.start(ws, LOCAL)
    assert (found.state, found.loopback, found.needs_key) == ("on", True, False)
    assert answer(found.address) > 0
    with pytest.raises(Conflict, match="running already"):
        api_process.start(ws, LOCAL)
    assert api_process.stop(ws, LOCAL).state == "off"
    with pytest.raises(openai.APIConnectionError):
        answer(found.address)


@pytest.mark.train
def test_api_comes_back_with_the_web_server_and_stays_off_once_stopped(ws):
    api_process.start(ws, LOCAL)
    api_process.leave(ws, LOCAL)
    assert api_lock.holder(ws.settings.home) is None
    api_process.resume(ws, LOCAL)
    wait_for(lambda: api_process.look(ws, LOCAL).state == "on")
    api_process.stop(ws, LOCAL)
    api_process.resume(ws, LOCAL)
    assert api_process.look(ws, LOCAL).state == "off"


@pytest.mark.train
def test_api_ends_with_a_killed_web_server_and_is_said_to_have_ended(ws):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        env={**os.environ, **ws.settings.environment()},
    ) as parent:
        assert parent.stdout.readline().startswith(b"http://127.0.0.1:")
        assert api_process.look(ws, LOCAL).state == "on"
        parent.kill()
    wait_for(lambda: api_lock.holder(ws.settings.home) is None)
    assert api_process.look(ws, LOCAL).state == "failed"


@pytest.mark.train
def test_api_that_is_killed_is_said_to_have_ended(ws):
    api_process.start(ws, LOCAL)
    os.kill(api_lock.holder(ws.settings.home).pid, signal.SIGKILL)
    wait_for(lambda: api_lock.holder(ws.settings.home) is None)
    found = api_process.look(ws, LOCAL)
    assert found.state == "failed"
    assert "The API is at" in found.log


@pytest.mark.train
def test_api_on_a_taken_port_is_refused_with_the_reason(ws):
    taken = socket.create_server(("127.0.0.1", int(os.environ[api_process.PORT])))
    with taken, pytest.raises(Unfinished, match="can't be used: Address already in use"):
        api_process.start(ws, LOCAL)
    assert api_process.look(ws, LOCAL).state == "off"


@pytest.mark.train
def test_api_of_a_server_that_asks_for_sign_in_needs_a_key_on_loopback_too(ws):
    ws.settings = ws.settings.model_copy(update={"sign_in": True})
    found = api_process.start(ws, LOCAL)
    assert found.needs_key
    with pytest.raises(openai.AuthenticationError, match="No API key"):
        answer(found.address)


@pytest.fixture
def in_a_terminal(ws):
    """`tuneloop api` in a process of its own, which answers; and the port it took."""
    port = free_port()
    command = [sys.executable, "-m", "engine", "api", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, **ws.settings.environment()}
    ) as process:
        assert process.stdout.readline().startswith(b"The API is at http://127.0.0.1:")
        wait_for(lambda: api_process.look(ws, LOCAL).state == "on")
        yield process, port
        process.terminate()


@pytest.mark.train
def test_api_of_a_terminal_is_seen_by_the_page_and_is_the_only_one(ws, in_a_terminal, tuneloop):
    process, port = in_a_terminal
    found = api_process.look(ws, LOCAL)
    assert (found.state, found.started_by, found.loopback, found.needs_key) == (
        "on", "terminal", True, False,
    )  # fmt: skip
    assert found.address == f"http://127.0.0.1:{port}/v1"
    with pytest.raises(Conflict, match=rf"at http://127.0.0.1:{port}/v1 \(started in a terminal"):
        api_process.start(ws, LOCAL)
    code, out, _ = tuneloop("api", "status", "--json")
    assert code == 0
    assert api_process.ApiProcess.model_validate_json(out) == found
    second = [sys.executable, "-m", "engine", "api", "--port", str(free_port())]
    ended = subprocess.run(
        second, capture_output=True, text=True, env={**os.environ, **ws.settings.environment()}
    )
    assert (ended.returncode, ended.stdout) == (5, "")
    assert f"process {process.pid} on {socket.gethostname()}" in ended.stderr
    api_process.leave(ws, LOCAL)  # a web server ends
    api_process.resume(ws, LOCAL)
    assert api_process.look(ws, LOCAL) == found
    assert api_process.stop(ws, LOCAL).state == "off"
    process.wait()


@pytest.mark.train
def test_api_of_the_page_is_named_to_who_starts_one_in_a_terminal(ws):
    found = api_process.start(ws, LOCAL)
    ended = subprocess.run(
        [sys.executable, "-m", "engine", "api", "--port", str(free_port())],
        capture_output=True,
        text=True,
        env={**os.environ, **ws.settings.environment()},
    )
    assert ended.returncode == 5
    assert f"running already at {found.address} (started in the browser" in ended.stderr
    assert "Use that one, or stop it" in ended.stderr


@pytest.mark.parametrize(
    ("port", "said"), [("0", "is not in the range 1<=x<=65535"), ("many", "is not a valid integer")]
)
def test_api_command_refuses_a_port_that_is_none(tuneloop, port, said):
    code, out, err = tuneloop("api", "--port", port)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.train
def test_api_command_refuses_an_address_that_is_none(ws):
    ended = subprocess.run(
        [sys.executable, "-m", "engine", "api", "--host", "no such host", "--port", "7999"],
        capture_output=True,
        text=True,
        env={**os.environ, **ws.settings.environment()},
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no such host" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.train
def test_api_is_stopped_while_it_starts(ws):
    refusals = []

    def starting():
        try:
            api_process.start(ws, LOCAL)
        except UserError as error:
            refusals.append(str(error))

    starter = threading.Thread(target=starting)
    starter.start()
    wait_for(lambda: api_process.look(ws, LOCAL).state == "starting")
    child = api_process._children[ws.settings.home]
    with pytest.raises(Conflict, match="starts already"):
        api_process.start(ws, LOCAL)
    assert api_process.stop(ws, LOCAL).state == "off"
    assert child.poll() is not None
    starter.join()
    assert refusals == ["The API was stopped before it answered. Start it again."]
    assert api_process.look(ws, LOCAL).state == "off"


@pytest.mark.train
def test_api_that_comes_back_with_the_web_server_is_stopped_while_it_starts(ws):
    (ws.settings.home / api_process.WANTED).touch()
    api_process.resume(ws, LOCAL)
    child = api_process._children[ws.settings.home]
    assert api_process.stop(ws, LOCAL).state == "off"
    assert child.poll() is not None


def test_api_lock_never_names_a_process_that_no_longer_holds_it(ws):
    home = ws.settings.home
    with api_lock.held(home, "page") as lock:
        lock.write("http://127.0.0.1:1/v1")
        assert api_lock.holder(home).pid == os.getpid()
    # the next one has the lock and has written nothing so far
    assert (home / api_lock.NAME).read_text() == ""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed = api_lock.Holder(
        pid=ended.pid, machine=socket.gethostname(), address="http://127.0.0.1:1/v1"
    )
    with api_lock.held(home, "page") as lock:
        lock._path.write_text(killed.model_dump_json())  # as one that was killed left it
        assert api_lock.holder(home) == api_lock.Holder()
        with pytest.raises(Conflict, match=r"^The API is running already\. Use"):
            raise api_lock.runs_already(api_lock.holder(home))


def test_api_is_started_and_stopped_by_owners_alone(ws):
    trainer = Actor(name="tess", role=Role.TRAINER)
    for act in (api_process.start, api_process.stop, api_process.leave, api_process.resume):
        with pytest.raises(Forbidden):
            act(ws, trainer)
    assert api_process.look(ws, trainer).state == "off"
    assert not api_process.may_start(trainer)


def test_api_is_refused_in_a_space_and_at_a_port_that_is_none(ws, monkeypatch):
    monkeypatch.setenv(api_process.PORT, "99999")
    with pytest.raises(UserError, match="is no port"):
        api_process.start(ws, LOCAL)
    monkeypatch.setenv("TUNELOOP_SPACE", "1")
    with pytest.raises(Forbidden, match="A Space has one address"):
        api_process.start(ws, LOCAL)


def test_api_of_another_machine_is_not_stopped_from_here(ws):
    with api_lock.held(ws.settings.home, "page") as lock:
        lock._path.write_text(
            api_lock.Holder(
                pid=1, machine="elsewhere", address="http://elsewhere:1/v1"
            ).model_dump_json()
        )
        with pytest.raises(Conflict, match="elsewhere"):
            api_process.stop(ws, LOCAL)
        api_process.leave(ws, LOCAL)
