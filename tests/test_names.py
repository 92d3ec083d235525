"""The rules for names: a test starts with its unit."""

import ast
import re
from pathlib import Path

REPO = Path(__file__).parents[1]
OPENERS = re.compile(r"test_(a|an|the|what|who|whom|whose|how|where|why)_")


def defined_in(path: Path) -> list[str]:
    """The names of the functions of a file, those inside classes too."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.walk(tree) if isinstance(node, functions)]


def test_test_name_starts_with_the_unit():
    names = {path: defined_in(path) for path in sorted((REPO / "tests").rglob("*.py"))}
    assert sum(len(each) for each in names.values()) > 1000  # it does see them
    riddles = [
        f"{path.relative_to(REPO)}: {name}"
        for path, each in names.items()
        for name in each
        if OPENERS.match(name)
    ]
    assert not riddles, "\n".join(riddles)
