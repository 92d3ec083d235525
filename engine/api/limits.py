"""The most bytes that a request to each path of the API may send."""

from starlette.types import Scope

from engine.http_limits import KB, MB, longest_prefix
from engine.services.data import datasets

BODY_BYTES = {
    "": 256 * KB,
    "/v1/chat/completions": 16 * MB,
    "/v1/files": datasets.MAX_BYTES + MB,
}


def limit_of(scope: Scope) -> int:
    """The most bytes that this request may send."""
    return longest_prefix(BODY_BYTES, str(scope["path"]))
