"""What a simulated rater goes by, in the words shown to people."""

import inspect

from engine import plugins
from engine.core.errors import UserError


def stated(name: str) -> str:
    """The rule of the rater registered under `name`: the first line of its docstring.

    Raises UserError for an unknown name, and for an installed rater that does not state its rule.
    """
    text = inspect.getdoc(plugins.load("raters", name))
    if not text:
        raise UserError(
            f"The rater {name!r} does not state its rule.",
            "Say it in the first line of its function's docstring.",
        )
    return text.splitlines()[0]
