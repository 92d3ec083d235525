"""What two visitors of a Space hold in tests, as a server with this key gives it out."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from engine.services.people import visitor_cookies
from engine.workspace import Workspace

KEY = b"k" * visitor_cookies.KEY_BYTES
HERE: Any = SimpleNamespace(settings=SimpleNamespace(home=Path("a place of tests")))
visitor_cookies._keys[HERE.settings.home] = KEY


def use_key(ws: Workspace) -> None:
    """Let this workspace know the visitors of below as its own."""
    (ws.settings.home / visitor_cookies.KEY_FILE).write_bytes(KEY)
    visitor_cookies._keys[ws.settings.home] = KEY


def held(secret: str, address: str = "") -> str:
    """The cookie for a secret of 43 signs."""
    return visitor_cookies.sign(HERE, secret, address)


ADA, BEN = held("A" * 43), held("B" * 43)
