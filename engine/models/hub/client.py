"""Requests to the Hugging Face Hub: short, bounded, and with the token that the library finds.

The address is HF_ENDPOINT or the Hub's own, never one that a person types. The token is that of the
environment or of `hf auth login`; it goes into the header of a request and nowhere else.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

from engine.core.errors import NotFound, Unavailable, UserError
from engine.core.hub import NAME

HUB = "https://huggingface.co"
TIMEOUT_S = 5.0  # to connect, and between two pieces of an answer
WHOLE_ANSWER_S = 10.0
MOST_BYTES = 16 * 2**20  # of an answer that is read into the memory
GONE = (401, 403, 404)
TOO_MANY = 429
_CHECK = "Check this computer's network, HF_ENDPOINT and HF_HUB_OFFLINE, then try again."

Parameters = Mapping[str, str | int | Sequence[str]]


class HubRefusal(Exception):
    """The Hub answered with an error; `code` and `message` are the headers that say which."""

    def __init__(self, status: int, code: str, message: str, with_token: bool) -> None:
        super().__init__(f"status {status}")
        self.status, self.code, self.message, self.with_token = status, code, message, with_token


class Stream(NamedTuple):
    """An answer that is being read; `start` is the byte of the file it begins with."""

    start: int
    pieces: Iterator[bytes]


def address() -> str:
    """The Hub's address, without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def checked_name(name: str) -> str:
    """The name of a repository; UserError for anything else, an address above all."""
    found = name.strip()
    if not re.fullmatch(NAME, found) or ".." in found or "--" in found:
        raise UserError(
            f"{found[:60]!r} is no name of a model on the Hugging Face Hub.",
            "Write it as the Hub does: ORGANISATION/NAME, without an address.",
        )
    return found


def page(name: str) -> str:
    """Where the Hub shows a model to people."""
    return f"{address()}/{name}"


def file_path(name: str, revision: str, file: str) -> str:
    """The path of a file at a revision."""
    return f"/{name}/resolve/{quote(revision, safe='')}/{quote(file)}"


def read_json(path: str, parameters: Parameters | None = None) -> Any:
    """The JSON at `path`; HubRefusal for an error of the Hub, Unavailable without an answer."""
    try:
        return json.loads(read(path, parameters))
    except (ValueError, RecursionError):
        raise Unavailable("The Hugging Face Hub gave no readable answer.", _CHECK) from None


def read(path: str, parameters: Parameters | None = None, most: int = MOST_BYTES) -> bytes:
    """What lies at `path`, at most `most` bytes, within `WHOLE_ANSWER_S`."""
    until, content = time.monotonic() + WHOLE_ANSWER_S, bytearray()
    with stream(path, parameters) as found:
        for piece in found.pieces:
            content += piece
            if len(content) > most:
                raise Unavailable("The Hugging Face Hub gave an answer that is too long.", _CHECK)
            if time.monotonic() > until:
                raise unreachable("it answers too slowly")
    return bytes(content)


@contextmanager
def stream(
    path: str,
    parameters: Parameters | None = None,
    start: int = 0,
    timeout_s: float = TIMEOUT_S,
) -> Iterator[Stream]:
    """The answer at `path` from byte `start` on, while it comes in.

    HubRefusal for an error of the Hub. Unavailable where the connection cannot be made or breaks.
    """
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        get_session,
    )

    asked = {**_headers(build_hf_headers), "accept-encoding": "identity"}
    if start:
        asked["range"] = f"bytes={start}-"
    try:
        with get_session().stream(
            "GET", address() + path, params=parameters, headers=asked, timeout=timeout_s
        ) as answer:
            if answer.status_code >= 400:
                raise HubRefusal(
                    answer.status_code,
                    answer.headers.get("x-error-code", ""),
                    answer.headers.get("x-error-message", ""),
                    "authorization" in asked,
                )
            yield Stream(_start(answer, start), answer.iter_bytes())
    except (HTTPError, ConnectionError) as error:
        raise unreachable(type(error).__name__) from None


def unreachable(why: str) -> Unavailable:
    """What to say where the Hub does not answer."""
    if why == "OfflineModeIsEnabled":
        return Unavailable(
            "The Hugging Face Hub is switched off here (HF_HUB_OFFLINE).",
            "Unset HF_HUB_OFFLINE and start Tuneloop again, or add a folder.",
        )
    return Unavailable(f"The Hugging Face Hub cannot be reached ({why}).", _CHECK)


def refusal(error: HubRefusal, name: str) -> UserError:
    """An error of the Hub about the model `name`, in words."""
    if "invalid credentials" in error.message.lower():
        return UserError(
            "The Hugging Face Hub does not accept this server's token.",
            "Set another HF_TOKEN, or run hf auth login, where Tuneloop runs.",
        )
    if error.status == TOO_MANY:
        return Unavailable("The Hugging Face Hub wants fewer requests.", "Wait some minutes.")
    if error.code == "RevisionNotFound":
        return NotFound(f"{name} has no such revision.", "Search for it again.")
    if error.status in GONE and error.with_token:
        return NotFound(
            f"The Hub has no model {name} that this server's token may see.", "Check the name."
        )
    if error.status in GONE:
        return NotFound(
            f"The Hub has no public model {name}.",
            "Check the name; a private model needs HF_TOKEN, or hf auth login, where Tuneloop "
            "runs.",
        )
    return Unavailable(f"The Hugging Face Hub failed (status {error.status}).", "Try again later.")


def _headers(build: Any) -> dict[str, str]:
    try:
        return dict(build(library_name="tuneloop"))
    except Exception:  # a token file that cannot be read, a refresh of a login that fails
        return dict(build(library_name="tuneloop", token=False))


def _start(answer: Any, asked: int) -> int:
    """The byte an answer begins with: 0 where the server sends the file from its start."""
    if answer.status_code != 206:
        return 0
    given = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(given[1]) if given else asked
