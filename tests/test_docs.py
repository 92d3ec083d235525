"""What the documents say is so: commands exist, links lead somewhere, versions agree."""

import ast
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine import plugins
from engine.cli.app import cli

REPO = Path(__file__).parents[1]
README = REPO / "README.md"
EXTENDING = REPO / "ui" / "guide" / "extending.md"
CHANGELOG = REPO / "engine" / "CHANGELOG.md"
DECISIONS = REPO / "engine" / "DECISIONS.md"
INTEGRATIONS = REPO / "ui" / "guide" / "integrations.md"
OPERATORS = REPO / "ui" / "guide" / "operators.md"
DOCUMENTS = [
    README,
    *sorted((REPO / ".github").glob("*.md")),
    *sorted((REPO / "engine").glob("*.md")),
    *sorted((REPO / "ui").rglob("*.md")),
    REPO / "spaces" / "README.md",
    REPO / "tests" / "README.md",
]
EARLIER = CHANGELOG, DECISIONS  # which also name spellings and variables of before


def text(path: Path) -> str:
    """The document's text; a missing document fails the test by its name."""
    assert path.is_file(), f"{path.relative_to(REPO)} is not written yet"
    return path.read_text(encoding="utf-8")


def code(document: str) -> list[str]:
    """Each line of a fenced block and each code span, continued lines joined."""
    fence = re.compile(r"^```.*?\n(.*?)^```", re.M | re.S)
    blocks = "\n".join(fence.findall(document)).replace("\\\n", " ").splitlines()
    spans = re.findall(r"`([^`\n]+)`", fence.sub("", document))
    return [line.strip().removeprefix("$ ") for line in [*blocks, *spans]]


def commands(document: str, program: str) -> list[list[str]]:
    """The words after `program` wherever the document calls it, comments left out."""
    found = []
    for line in code(document):
        for part in re.split(r"&&|\||;", line):
            words = re.sub(r"(^|\s)#.*", "", part).strip()
            call = re.fullmatch(rf"(?:\S*=\S* +)*(?:\S*/)?{program}(?: +(.*))?", words)
            if call:
                found.append(shlex.split((call[1] or "").replace("...", "")))
    return found


def resolve(words: list[str]) -> tuple[list[str], click.Command, list[str]]:
    """The path of a subcommand, the subcommand, and the words that it is given."""
    path: list[str] = []
    command: click.Command = cli
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        path, command, words = [*path, words[0]], command.commands[words[0]], words[1:]
    return path, command, words


def options(command: click.Command) -> set[str]:
    every = [name for option in command.params for name in (*option.opts, *option.secondary_opts)]
    return {*every, "--help", "-h", "--version"}


def test_every_make_target_in_the_readme_exists():
    makefile = (REPO / "Makefile").read_text()
    named = {
        word
        for words in commands(text(README), "make")
        for word in words
        if re.fullmatch(r"[a-z][a-z-]*", word)
    }
    assert named, "README.md names no make target"
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.M)} == set()


def test_make_test_collects_every_file_with_a_browser_test():
    script = (REPO / ".ci" / "tests").read_text()
    (places,) = re.findall(r'-m "browser and not proof" (.*?) \\$', script, re.M)
    looked_in = [REPO / place for place in places.split()]
    mark = re.compile(r"^(pytestmark = .*|@)pytest\.mark\.browser", re.M)
    tests = (REPO / "tests").rglob("test_*.py")
    with_mark = [path for path in tests if mark.search(path.read_text())]
    assert len(with_mark) > 15
    outside = [path for path in with_mark if not {path, *path.parents} & set(looked_in)]
    assert outside == []


@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if each not in EARLIER], ids=lambda path: path.stem
)
def test_every_command_in_a_document_parses(document):
    wrong = []
    for words in commands(text(document), "tuneloop"):
        path, command, rest = resolve(words)
        line = " ".join(["tuneloop", *words])
        if isinstance(command, click.Group) and rest and not rest[0].startswith(("-", "COMMAND")):
            wrong.append(f"{line}: there is no {rest[0]!r}; known: {', '.join(command.commands)}")
        if CliRunner().invoke(cli, [*path, "--help"]).exit_code:
            wrong.append(f"{line}: --help fails")
        given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
        if given - options(command):
            wrong.append(f"{line}: unknown {sorted(given - options(command))}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPO)))
def test_every_relative_link_and_image_exists(document):
    body = re.sub(r"^```.*?^```", "", text(document), flags=re.M | re.S)
    links = re.findall(r"\]\(<?([^)\s>]+)", body) + re.findall(r"(?:src|href)=\"([^\"]+)\"", body)
    local = [link for link in links if not re.match(r"[a-z]+:|#", link)]
    gone = [link for link in local if not (document.parent / link.partition("#")[0]).exists()]
    assert not gone, f"{document.relative_to(REPO)} links to {gone}"


@pytest.mark.parametrize("family", plugins.BUILT_IN)
def test_every_family_of_plug_ins_is_described(family):
    assert re.search(rf"^### {family}: ", text(EXTENDING), re.M), f"no section for `{family}`"


@pytest.mark.parametrize("family", ["exporters", "recipe_targets", "trackers"])
def test_every_program_that_something_is_written_for_has_a_row_with_its_command(family):
    rows = [line.split("|") for line in text(INTEGRATIONS).splitlines() if line.startswith("| ")]
    shown = " ".join(row[1] for row in rows if "`" in row[2]).lower().replace("-", "")
    names = {"wandb": "weights & biases"}
    missing = [one for one in plugins.names(family) if names.get(one, one) not in shown]
    assert not missing


def test_every_command_of_the_table_of_integrations_names_tests_that_exist():
    found = [words for words in commands(text(INTEGRATIONS), "pytest") if words]
    assert len(found) > 10
    for words in found:
        paths = [REPO / word for word in words if word.startswith("tests/")]
        assert paths
        assert all(path.exists() for path in paths)
        if "-k" in words:
            assert words[words.index("-k") + 1] in "".join(path.read_text() for path in paths)
    targets = (REPO / "tests" / "ecosystem" / "run").read_text()
    for name, *_ in commands(text(INTEGRATIONS), "tests/ecosystem/run"):
        assert f"  {name})" in targets


def test_every_hook_of_a_layout_is_described():
    source = text(REPO / "engine" / "formats" / "read.py")
    hooks = set(re.findall(r'hasattr\(module, "(\w+)"\)', source))
    assert {"unfold", "note", "columns"} <= hooks
    required = {"TITLE", "SUMMARY", "KIND", "COLUMNS", "sniff", "read"}
    assert hooks | required == set(re.findall(r"^\| `(\w+)[`(]", text(EXTENDING), re.M))


def test_changelog_starts_with_the_version_of_the_project():
    versions = re.findall(r"^## \[?v?(\d[\w.]*)", text(CHANGELOG), re.M)
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert versions, "engine/CHANGELOG.md has no heading such as '## 0.1.0'"
    assert versions[0] == project["version"]


def test_make_without_a_target_lists_the_targets():
    shown = subprocess.run(["make", "-s"], cwd=REPO, capture_output=True, text=True, check=True)
    lines = shown.stdout.splitlines()
    assert [line.split()[1] for line in lines] == [
        "help",
        "run",
        "test",
        "proof",
        "demo",
        "bench",
        "loopbench",
        "docs",
        "clean",
    ]


def test_every_test_that_the_acceptance_list_names_exists():
    tests = REPO / "tests"
    known = "\n".join(path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", text(tests / "ACCEPTANCE.md")))
    assert len(named) > 50
    assert {name for name in named if f"def {name}(" not in known} == set()


def named_variables(tree: ast.AST) -> set[str]:
    """Environment variables that a module reads or sets: TUNELOOP_ names, and what goes by environ.

    A name that stands in a constant counts by the constant; so do the keys of a dictionary of
    upper-case text, which is how values for a child process are written.
    """
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def word(node: ast.AST | None) -> str:
        value = constants.get(node.id) if isinstance(node, ast.Name) else None
        value = node.value if isinstance(node, ast.Constant) else value
        return value if isinstance(value, str) else ""

    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and "environ" in ast.unparse(node.func):
            found.add(word(node.args[0]))
        elif isinstance(node, ast.Subscript) and "environ" in ast.unparse(node.value):
            found.add(word(node.slice))
        elif isinstance(node, ast.Compare) and "environ" in ast.unparse(node):
            found.add(word(node.left))
        elif isinstance(node, ast.Dict) and node.keys:
            values = zip(node.keys, node.values, strict=True)
            found |= {word(key) for key, value in values if "_" in word(key) and word(value)}
        elif isinstance(node, ast.Constant) and word(node).startswith("TUNELOOP_"):
            found.add(word(node))
    return {name for name in found if re.fullmatch(r"[A-Z][A-Z0-9_]*[A-Z0-9]", name)}


def test_named_variables_sees_every_way_of_naming_one():
    source = """
import os
NAME = "FROM_CONSTANT"
os.environ["BY_INDEX"] = os.environ.get("BY_GET", "")
os.environ.setdefault("BY_DEFAULT", "1")
os.environ.get(NAME)
"BY_TEST" in os.environ
PATIENT = {"IN_DICT": "1"}
environment.get("TUNELOOP_OTHER")
{"not": 1, "Upper": 2}
"""
    assert named_variables(ast.parse(source)) == {
        "FROM_CONSTANT", "BY_INDEX", "BY_GET", "BY_DEFAULT", "BY_TEST", "IN_DICT", "TUNELOOP_OTHER",
    }  # fmt: skip


def test_every_environment_variable_stands_in_the_table_of_the_guide():
    modules = [path for top in ("engine", "ui", "spaces") for path in (REPO / top).rglob("*.py")]
    read = set().union(*(named_variables(ast.parse(path.read_text("utf-8"))) for path in modules))
    table = text(OPERATORS).partition("## Environment")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.M)
    assert {"TUNELOOP_HOME", "TUNELOOP_JUDGE_KEY", "OMP_NUM_THREADS"} <= read
    assert len(listed) == len(set(listed))
    assert read - set(listed) == set(), "not in ui/guide/operators.md"
    assert set(listed) - read == set(), "no module names them"


def test_decisions_are_numbered_and_each_has_a_status():
    entries = re.findall(r"^## (\d+)\. .+\n\n(.+)", text(DECISIONS), re.M)
    assert [int(number) for number, _ in entries] == list(range(1, len(entries) + 1))
    without = [
        number
        for number, first in entries
        if not re.match(r"Status: (accepted|(superseded|amended) by \d+)", first) and number != "60"
    ]
    assert without == []
