"""Identifiers made in Python: sortable by time, unguessable enough, the same on every database."""

import hashlib
import secrets
import time


def new(kind: str) -> str:
    """`kind`, 11 hex digits of milliseconds, 10 random ones: `job-19a3f2c4b10-9f2c04d1aa`."""
    return f"{kind}-{int(time.time() * 1000):011x}-{secrets.token_hex(5)}"


def token() -> str:
    """256 unguessable bits for the browser: says nothing about what it stands for."""
    return secrets.token_urlsafe(32)


def sha256(token: str) -> str:
    """What is kept of a token, so that nobody who reads the database can use it."""
    return hashlib.sha256(token.encode()).hexdigest()
