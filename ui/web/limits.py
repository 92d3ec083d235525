"""The most bytes that a request to each path of the web app may send."""

from starlette.types import Scope

from engine.http_limits import KB, MB, longest_prefix
from engine.services.data import datasets
from ui.web.prefix import route_path

UPLOAD_MB = datasets.MAX_BYTES // MB
# A vote may carry an edit of 20,000 characters, escaped. The longest that an event of the page
# sends are questions that somebody pasted, all of them at once; more of them come as a file.
BODY_BYTES = {
    "": 2 * MB,
    "/account": 64 * KB,
    "/api/rate": 256 * KB,
    "/gradio_api/upload": (UPLOAD_MB + 1) * MB,
}


def limit_for(path: str) -> int:
    """The most bytes that a request to `path` may send."""
    return longest_prefix(BODY_BYTES, path)


def limit_of(scope: Scope) -> int:
    """The same for a request."""
    return limit_for(route_path(scope))
