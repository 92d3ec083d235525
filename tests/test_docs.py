"""What the documents say is so: commands exist, links lead somewhere, versions agree."""

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
ENGINE_README = REPO / "engine" / "README.md"
CHANGELOG = REPO / "engine" / "CHANGELOG.md"


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


def test_every_command_in_the_readme_parses():
    wrong = []
    for words in commands(text(README), "tuneloop"):
        path, command, rest = resolve(words)
        line = " ".join(["tuneloop", *words])
        if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            wrong.append(f"{line}: there is no {rest[0]!r}; known: {', '.join(command.commands)}")
        if CliRunner().invoke(cli, [*path, "--help"]).exit_code:
            wrong.append(f"{line}: --help fails")
        given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
        if given - options(command):
            wrong.append(f"{line}: unknown {sorted(given - options(command))}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", [README, ENGINE_README], ids=["README", "engine/README"])
def test_every_relative_link_and_image_exists(document):
    body = re.sub(r"^```.*?^```", "", text(document), flags=re.M | re.S)
    links = re.findall(r"\]\(<?([^)\s>]+)", body) + re.findall(r"(?:src|href)=\"([^\"]+)\"", body)
    local = [link for link in links if not re.match(r"[a-z]+:|#", link)]
    gone = [link for link in local if not (document.parent / link.partition("#")[0]).exists()]
    assert not gone, f"{document.relative_to(REPO)} links to {gone}"


@pytest.mark.parametrize("family", plugins.BUILT_IN)
def test_every_family_of_plug_ins_is_described(family):
    described = re.search(rf"(`|\*\*)(tuneloop\.)?{family}(`|\*\*)", text(ENGINE_README))
    assert described, f"engine/README.md doesn't say how to add to `{family}`"


def test_the_changelog_starts_with_the_version_of_the_project():
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
        "demo",
        "bench",
        "docs",
        "clean",
    ]


def test_every_test_that_the_acceptance_list_names_exists():
    tests = REPO / "tests"
    known = "\n".join(path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", text(tests / "ACCEPTANCE.md")))
    assert len(named) > 50
    assert {name for name in named if f"def {name}(" not in known} == set()
