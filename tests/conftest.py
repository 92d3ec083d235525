"""What every test may ask for: a home, a database of either kind, a tiny model, a browser.

A fixture that needs something this machine lacks skips its test and says what is missing; pytest
prints every such reason at the end.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import postgres

# Before any library is imported: no test reaches the network, two workers share two cores, and
# nothing lands in the workspace of the person who runs the tests.
os.environ |= {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_OFFLINE": "1",
}
for _name in ("TUNELOOP_HOME", "TUNELOOP_DATABASE_URL", "TUNELOOP_SPACE"):
    os.environ.pop(_name, None)

# The same examples in every run, and no limit on the clock: a busy machine is no fault.
settings.register_profile("tuneloop", derandomize=True, deadline=None)
settings.load_profile("tuneloop")

REPO = Path(__file__).parents[1]
BROWSER_MS = 120_000  # playwright waits so long for what a page should show
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument: a gzip holds the second it was made in, and two test workers
    must collect the same names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the environment names as TUNELOOP_HOME."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TUNELOOP_HOME", str(folder))
    return folder


@pytest.fixture
def tuneloop(
    capsys: pytest.CaptureFixture[str], home: Path
) -> Callable[..., tuple[object, str, str]]:
    """Runs the command line: (exit code, stdout, stderr)."""
    from engine.__main__ import main

    def run(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(map(str, arguments)))
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the repository, never committed to it."""
    folder = Path(os.environ.get("TUNELOOP_SHARED_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder}: set TUNELOOP_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random model of a few kilobytes, made once for all test workers."""
    from tests import tiny_model as random_llama

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "tiny-model"
    with (shared / "tiny-model.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            aside = shared / f"tiny-model-{uuid.uuid4().hex}"
            random_llama.make(aside)
            aside.rename(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def quick_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new database of this process is a copy of a migrated one, and no commit waits for the disk.

    The revisions run once for a test worker. What survives a power cut is tested on the database
    of another process.
    """
    from engine.store import connect

    migrate, on_connect = connect.migrate, connect._on_sqlite_connect
    migrated = tmp_path_factory.mktemp("migrated") / "migrated.db"

    def copied(db: Any) -> None:
        file = db.url.database
        new = db.dialect.name == "sqlite" and file != ":memory:" and not _has_bytes(Path(file))
        if new and migrated.exists():
            shutil.copyfile(migrated, file)
        migrate(db)
        if new and not migrated.exists():
            db.dispose()
            shutil.copyfile(file, migrated)

    def connected(raw: Any, record: object) -> None:
        on_connect(raw, record)
        raw.execute("PRAGMA synchronous=OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connect, "migrate", copied)
        patch.setattr(connect, "_on_sqlite_connect", connected)
        yield


def _has_bytes(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of each kind; the test runs once for each.

    For `ws` it is a copy of one that was migrated before: to migrate takes longer than most tests.
    """
    if request.param == "postgres":
        migrated = "ws" in request.fixturenames
        yield from request.getfixturevalue("new_postgres_database")(migrated)
    else:
        yield f"sqlite:///{tmp_path / 'test.db'}"


def _migrate(home: Path, url: str) -> None:
    from engine.workspace import Settings, open_workspace

    open_workspace(Settings(home=home, database_url=url)).close()


@pytest.fixture
def ws(home: Path, database_url: str) -> Iterator[object]:
    """A workspace on `database_url`, migrated and empty."""
    from engine.workspace import Settings, open_workspace

    workspace = open_workspace(Settings(home=home, database_url=database_url))
    yield workspace
    workspace.close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
    """A Hub of models on loopback that this process and its children ask, without a token."""
    from huggingface_hub import constants

    from tests import hub_server

    found = hub_server.LoopbackHub()
    with hub_server.running(found) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            monkeypatch.setenv(name, "0")
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        no_token = str(tmp_path / "no-token")
        monkeypatch.setenv("HF_TOKEN_PATH", no_token)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", no_token)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield found


@pytest.fixture(scope="session")
def new_postgres_database(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[bool], Iterator[str]]]:
    """Makes an empty database on a server of this session, migrated or not; drops it after use."""
    with postgres.serving() as server, server.connected() as connection:
        _migrate(tmp_path_factory.mktemp("migrated"), server.create("migrated"))

        def database(migrated: bool) -> Iterator[str]:
            name = f"test_{uuid.uuid4().hex}"
            source = "migrated" if migrated else "template1"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
            yield server.address(name)
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

        yield database


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Debian's Chromium under playwright: a Browser; use `chromium.new_page()`."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip("no Chromium here: install Debian's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        yield _Patient(browser)
        browser.close()


class _Patient:
    """A Browser whose pages wait as long as a busy machine needs."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def __getattr__(self, name: str) -> Any:
        return getattr(self._browser, name)

    def new_context(self, **options: Any) -> Any:
        """A context with the long waits as its default."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(BROWSER_MS)
        return context

    def new_page(self, **options: Any) -> Any:
        """A page in a context of its own, with the long waits as its default."""
        page = self._browser.new_page(**options)
        page.set_default_timeout(BROWSER_MS)
        return page
