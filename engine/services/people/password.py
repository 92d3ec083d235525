"""Passwords are kept as scrypt hashes with a salt each, and compared in constant time."""

import hashlib
import hmac
import secrets
import threading
from base64 import b64decode, b64encode

from engine.core.errors import UserError

SHORTEST, LONGEST = 10, 200
COST, BLOCK, LANES = 2**15, 8, 1  # 32 MiB and a fraction of a second
SALT_BYTES = 16
# what is compared for a name that nobody has, so that an answer takes as long as for a real one
NOBODY = "scrypt$32768$8$1$" + b64encode(bytes(16)).decode() + "$" + b64encode(bytes(64)).decode()
_turn = threading.Semaphore(2)  # each holds its 32 MiB, and a flood of tries must not add up


def check(password: str) -> None:
    """UserError unless it is long enough to be a password."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(
            f"A password has {SHORTEST} to {LONGEST} characters.", "A few words in a row are fine."
        )


def hash_password(password: str) -> str:
    """What is kept of it: scrypt$cost$block$lanes$salt$hash."""
    salt = secrets.token_bytes(SALT_BYTES)
    made = _scrypt(password, salt, COST, BLOCK, LANES)
    return "$".join(
        ("scrypt", str(COST), str(BLOCK), str(LANES), b64encode(salt).decode(),
         b64encode(made).decode())
    )  # fmt: skip


def fits(password: str, known: str) -> bool:
    """Whether it is the password of which `known` was kept."""
    _, cost, block, lanes, salt, made = known.split("$")
    tried = _scrypt(password[:LONGEST], b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(tried, b64decode(made))


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    with _turn:
        return hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=block, p=lanes,
            maxmem=256 * cost * block,
        )  # fmt: skip
