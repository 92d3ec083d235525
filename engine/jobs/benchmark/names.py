"""Which public benchmarks lm-evaluation-harness knows, read from its files without loading it."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from rapidfuzz import fuzz, process

from engine.core.errors import UserError
from engine.core.extras import install_command

MISSING = "lm-evaluation-harness is not installed here."
FIX = f"Install the extra: {install_command('harness')}."
# a top-level key with one value; lists of names belong to groups and say nothing new
LINE = re.compile(
    rb"^[\"']?(task|group)[\"']?:[ \t]*[\"']?([^\s\"'#\[\]]+)[\"']?[ \t]*(?:#.*)?\r?$", re.M
)
CLASS = re.compile(rb"^[\"']?class[\"']?:", re.M)
LIKE = 60  # of 100: less alike is no help to who mistyped a name


class Named(NamedTuple):
    """A benchmark: one task, or a group that reports the mean of its tasks."""

    kind: Literal["task", "group"]
    file: Path


def installed() -> bool:
    """Whether the extra is here; nothing of it is loaded."""
    return find_spec("lm_eval") is not None


def require() -> None:
    """UserError unless the extra is here."""
    if not installed():
        raise UserError(MISSING, FIX)


def release() -> str:
    """The version of the harness that is installed."""
    return version("lm_eval")


def known() -> dict[str, Named]:
    """Every benchmark by its name, in alphabetical order; none where the extra is missing."""
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        return {}
    return _read(Path(spec.submodule_search_locations[0]) / "tasks")


def search(text: str, most: int = 50) -> list[str]:
    """Names that hold every word of `text`, those that begin with it first, then the shortest."""
    words = text.lower().split()
    found = [name for name in known() if all(word in name.lower() for word in words)]
    start = words[0] if words else ""
    found.sort(key=lambda name: (not name.lower().startswith(start), len(name), name))
    return found[:most]


def check(wanted: Sequence[str], mine: Sequence[str] = ()) -> None:
    """UserError for a name that is no benchmark, nor one of `mine`. A path is no name."""
    for name in wanted:
        if name in mine or name in known():
            continue
        like = near(name, mine) + near(name, list(known()))
        fix = (
            f"Did you mean {', '.join(like[:3])}?"
            if like
            else "See: tuneloop evaluation benchmark list."
        )
        raise UserError(f"There is no benchmark {name!r}.", fix)


def near(name: str, among: Sequence[str]) -> list[str]:
    """Up to three of the names that are most like one that does not exist, best first."""
    found = process.extract(name, among, scorer=fuzz.ratio, limit=3, score_cutoff=LIKE)
    return [each for each, _, _ in found]


@cache  # 14,000 small files take half a second
def _read(folder: Path) -> dict[str, Named]:
    found: dict[str, Named] = {}
    for path in sorted(folder.rglob("*.yaml")):
        content = path.read_bytes()
        of_class = CLASS.search(content)  # such a file is one task, its group an old habit
        for key, name in LINE.findall(content):
            if not (of_class and key == b"group"):
                kind: Literal["task", "group"] = "group" if key == b"group" else "task"
                found.setdefault(name.decode(), Named(kind, path))
    return dict(sorted(found.items()))
