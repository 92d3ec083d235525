"""A server that asks who somebody is, and browsers in which somebody has signed in."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.services.people import accounts, password, sign_in
from engine.workspace import Settings, Workspace, open_workspace
from ui.web.session import COOKIE

HERE = "http://tuneloop.example"
WORDS = "four words in a row"  # the password of everybody
OWNER = "Olga"


@contextmanager
def workspace(home: Path) -> Iterator[Workspace]:
    """A workspace with sign-in, whose passwords cost little to check."""
    url = f"sqlite:///{home / 'test.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", "")  # create_app sets it; put back at the end
        patch.setattr(password, "COST", 16)
        ws = open_workspace(Settings(home=home, database_url=url, sign_in=True))
        yield ws
        ws.close()


def sessions(
    ws: Workspace, others: Mapping[str, tuple[str, Sequence[str]]] | None = None
) -> dict[str, str]:
    """The owner Olga and `others` (name -> role, ids of projects) sign in: name -> their cookie."""
    first = accounts.first_link(ws)
    assert first is not None
    held = {OWNER: sign_in.accept(ws, first, OWNER, WORDS)}
    for name, (role, projects) in (others or {}).items():
        _, link = accounts.add(ws, LOCAL, name, role, list(projects))
        held[name] = sign_in.accept(ws, link, name, WORDS)
    return held


def browser(app: Any, session: str | None = None, **options: Any) -> TestClient:
    """A browser with this session, or a stranger's; it follows no redirect."""
    cookies = {COOKIE: session} if session else {}
    settings = {"base_url": HERE, "follow_redirects": False, **options}
    return TestClient(app, cookies=cookies, **settings)
