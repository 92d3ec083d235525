"""YAML as people who train models write it: one dialect for files, boxes and the command line."""

import re
from typing import Any

import yaml

from engine.core.shortened import shortened

LONGEST_WHY = 100  # characters: a file can make it as long as it likes


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes 2e-4 for a word; here it is a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def read_yaml(text: str) -> Any:
    """The value that `text` says; yaml.YAMLError where it is no YAML."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        raise
    except Exception as error:  # PyYAML lets what int(), float() and date() raise through
        raise yaml.YAMLError(f"a value cannot be read: {error}") from None


def why_not(error: yaml.YAMLError) -> str:
    """What is wrong with the text and on which line, in a few words of a sentence."""
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    line = "" if mark is None else f" (line {mark.line + 1})"
    return f"{shortened(problem, LONGEST_WHY)}{line}"
