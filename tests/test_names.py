"""The rules for names: a test starts with its unit, and a retired word names nothing new."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).parents[1]
OPENERS = re.compile(r"test_(a|an|the|what|who|whom|whose|how|where|why)_")
MODULES = sorted(
    path
    for top in ("engine", "ui", "spaces")
    for path in (REPO / top).rglob("*.py")
    if "migrations" not in path.parts
)

# Words that the glossary replaced (ui/guide/glossary.md has the words in use), with how many
# functions, classes, parameters, fields and variables still carry them. A number may only shrink.
RETIRED = {
    "ballot": 0,
    "beat": 0,
    "bring": 0,
    "brought": 0,
    "cast": 0,
    "deal": 0,
    "fell": 0,
    "forget": 0,
    "forgotten": 1,  # stored: a table
    "heard": 0,
    "keeper": 0,
    "lab": 0,
    "mend": 0,
    "mending": 0,
    "opinion": 0,
    "past": 0,
    "pulse": 0,
    "said": 2,  # stored: a column of the audit log, a key of a checkpoint
    "shelf": 0,
    "standing": 0,
    "told": 0,
    "variety": 0,
    "wishes": 0,
}

# Parameters with a name that says nothing of what they hold. A number may only shrink.
EMPTY = {"found": 186, "one": 110}


def defined_in(path: Path) -> list[str]:
    """The names of the functions of a file, those inside classes too."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.walk(tree) if isinstance(node, functions)]


def given_in(source: str) -> Iterator[tuple[str, int]]:
    """Every name that a source gives to something, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def parameters_of(source: str) -> Iterator[tuple[str, int]]:
    """Every parameter of a function that is no lambda, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            for each in (*given.posonlyargs, *given.args, *given.kwonlyargs):
                yield each.arg, each.lineno


def words_of(name: str) -> set[str]:
    """The words of a name, whether it is written with underscores or with capitals."""
    return set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))


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


def test_retired_word_names_nothing_new():
    places: dict[str, list[str]] = {word: [] for word in RETIRED}
    for path in MODULES:
        for name, line in given_in(path.read_text(encoding="utf-8")):
            for word in words_of(name) & RETIRED.keys():
                places[word].append(f"{path.relative_to(REPO)}:{line} {name}")
    found = Counter({word: len(each) for word, each in places.items()})
    more = [word for word in RETIRED if found[word] > RETIRED[word]]
    assert not more, "\n".join(
        f"{word}: {found[word]} names, at most {RETIRED[word]}:\n  " + "\n  ".join(places[word])
        for word in more
    )


def test_parameter_with_an_empty_name_is_not_added():
    places: dict[str, list[str]] = {name: [] for name in EMPTY}
    for path in MODULES:
        for name, line in parameters_of(path.read_text(encoding="utf-8")):
            if name in places:
                places[name].append(f"{path.relative_to(REPO)}:{line}")
    more = [name for name in EMPTY if len(places[name]) > EMPTY[name]]
    assert not more, "Name a parameter after what it holds:\n" + "\n".join(
        f"{name}: {len(places[name])} parameters, at most {EMPTY[name]}:\n  "
        + "\n  ".join(places[name])
        for name in more
    )


def test_rule_against_empty_names_sees_every_kind_of_parameter():
    source = "def f(found, /, one, *, two):\n    def g(one=1): ...\nh = lambda found: found"
    assert [name for name, _ in parameters_of(source)] == ["found", "one", "two", "one"]


def test_rule_against_retired_words_sees_every_kind_of_name():
    source = "class SaidThing:\n    told: int = 1\n    def hear_said(self, cast): heard = 1"
    words = Counter(word for name, _ in given_in(source) for word in words_of(name))
    assert {word for word in words if word in RETIRED} == {"said", "told", "cast", "heard"}
