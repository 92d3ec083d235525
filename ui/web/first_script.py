"""Scripts that run before Gradio's own: what Gradio's `head` holds runs after them."""

from collections.abc import Callable

from gradio import routes
from jinja2 import BaseLoader, Environment, TemplateNotFound

HEAD = "<head>"
# relative: the page may lie under a path of its host
NAMES = ("slow_frames", "poll_pace")
TAGS = "".join(f'<script src="static/{name}.js"></script>' for name in NAMES)


def add() -> None:
    """Let every page of Gradio begin with the scripts."""
    env = routes.templates.env
    if not isinstance(env.loader, _WithScript):
        env.loader = _WithScript(env.loader)


class _WithScript(BaseLoader):
    def __init__(self, inner: BaseLoader | None) -> None:
        self._inner = inner

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """The template with the scripts as the first things in its head."""
        if self._inner is None:
            raise TemplateNotFound(template)
        source, file, is_fresh = self._inner.get_source(environment, template)
        return source.replace(HEAD, HEAD + TAGS, 1), file, is_fresh
