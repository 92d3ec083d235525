"""What a browser of an open Space holds: bits that this server gave out, and its mark on them.

`SECRET.NETWORK.MARK`: 256 random bits; a keyed hash of the network that the browser came from when
it got them, empty where that tells nobody apart; and an HMAC of both. So nobody can make up
visitors by the thousand, and no address is stored.
"""

import hmac
import ipaddress
import re
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from engine.files import alone_in, write_atomic
from engine.services.people import throttle
from engine.workspace import Workspace

FORM = re.compile(r"([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{11})?\.([A-Za-z0-9_-]{43}))?")
KEY_FILE, KEY_BYTES = "visitors.key", 32  # in the data folder; where it is lost no project is
NEW_AT_ONCE, ONE_MORE_S = 30, 120.0  # visitors of one network: a class may come together
MOST_NETWORKS = 10_000  # remembered, those that came last

_keys: dict[Path, bytes] = {}


class VisitorBits(NamedTuple):
    """What a browser holds; only with `is_ours` did this server give it out."""

    secret: str
    network: str = ""
    is_ours: bool = False


def read(ws: Workspace, cookie: str) -> VisitorBits | None:
    """What the cookie says; None where it has another form."""
    matched = FORM.fullmatch(cookie)
    if matched is None:
        return None
    secret, network, mark = matched[1], matched[2] or "", matched[3] or ""
    return VisitorBits(secret, network, hmac.compare_digest(mark, _mark(ws, secret, network)))


def new_secret() -> str:
    """Bits for a browser that comes for the first time."""
    return secrets.token_urlsafe(32)


def sign(ws: Workspace, secret: str, address: str = "") -> str:
    """The cookie that stands for a secret, for a browser at this address."""
    place = public_network(address)
    network = _hashed(ws, f"network:{place}")[:11] if place else ""
    return f"{secret}.{network}.{_mark(ws, secret, network)}"


def public_network(address: str) -> str:
    """The network that is counted; empty for an address that stands for many or for nobody."""
    try:
        place = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    known = place.ipv4_mapped or place if isinstance(place, ipaddress.IPv6Address) else place
    return throttle.network(address) if known.is_global else ""


class NewVisitors:
    """How many new visitors came from each network lately, in memory alone."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Count one; False where as many came already as may."""
        place = public_network(address)
        if not place:
            return True
        level, at = self._levels.get(place, (0.0, now))
        level = max(0.0, level - max(0.0, now - at) / ONE_MORE_S)
        taken = level <= NEW_AT_ONCE - 1
        self._levels[place] = (level + taken, now)
        self._levels.move_to_end(place)
        if len(self._levels) > MOST_NETWORKS:
            self._levels.popitem(last=False)
        return taken


def _mark(ws: Workspace, secret: str, network: str) -> str:
    return _hashed(ws, f"visitor:{secret}.{network}")


def _hashed(ws: Workspace, text: str) -> str:
    digest = hmac.digest(_key(ws.settings.home), text.encode(), "sha256")
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _key(home: Path) -> bytes:
    if home not in _keys:
        path = home / KEY_FILE
        with alone_in(home):  # who comes first makes the key of all
            if not path.is_file() or path.stat().st_size != KEY_BYTES:
                write_atomic(path, secrets.token_bytes(KEY_BYTES))
            _keys[home] = path.read_bytes()
    return _keys[home]
