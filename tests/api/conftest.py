"""A server of the API in this process, on a real port, and OpenAI's own client."""

import threading
import time

import pytest
import uvicorn

from engine.api.app import create_app
from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.model import Model
from engine.services.models import registry
from engine.services.people import api_keys
from engine.store import models
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.serving import free_port
from tests.untrained_adapter import adapter


@pytest.fixture(scope="session")
def two_adapters(tiny_model, tmp_path_factory):
    """Folders of two adapters of the tiny model that answer differently."""
    folder = tmp_path_factory.mktemp("adapters")
    return [adapter(tiny_model, folder / str(seed), seed) for seed in (1, 2)]


@pytest.fixture
def database(request, home):
    """The address of a migrated, empty database: SQLite where the test does not ask for `each`."""
    if getattr(request, "param", "sqlite") == "postgres":
        yield from request.getfixturevalue("new_postgres_database")(True)
    else:
        yield f"sqlite:///{home / 'test.db'}"


@pytest.fixture
def workspace(home, database, tiny_model, two_adapters):
    """A workspace with the tiny base, and two adapters in the project Support."""
    ws = open_workspace(Settings(home=home, database_url=database))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    project = helpers.project(ws, "Support")
    for number, folder in enumerate(two_adapters):
        new = Model(
            id=ids.new("model"),
            project_id=project.id,
            name=f"bot {number + 1}",
            kind="adapter",
            source="trained",
            path=str(folder),
            base_id=base.id,
            created_at=time.time() + number,
        )
        with writing(ws.db) as conn:
            models.add(conn, new)
    yield ws
    ws.close()


@pytest.fixture
def project(workspace):
    from engine.services import projects

    return projects.list_all(workspace, LOCAL)[0]


@pytest.fixture
def serve(workspace):
    """Starts the API over the workspace: its address. `local` lets this machine in without key."""
    running = []

    def start(*, local=True):
        port = free_port()
        app = create_app(workspace, local=local)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        running.append((server, thread, app))
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread, app in running:
        server.should_exit = True
        thread.join(60)
        assert not app.state.serving._thread.is_alive()


@pytest.fixture
def client(serve, workspace, project):
    """OpenAI's client with a key that keeps texts."""
    import openai

    _, token = api_keys.make(workspace, LOCAL, project.id, "tests", captures=True)
    url = serve(local=False)
    with openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0, timeout=120) as found:
        yield found
