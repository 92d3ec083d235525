"""The reference pages of the guide are what the code says, and --json prints what they promise."""

import ast
import json

import click
import pytest
from pydantic import BaseModel

from engine.cli import reference
from engine.cli.app import cli
from engine.cli.json_shapes import SHAPES
from engine.core.event import EVENTS
from engine.workspace import open_workspace
from tests import helpers
from tests.conftest import REPO

VOTES = """prompt,rater,model_left,model_right,choice,left_len,right_len
a,ann,new,old,left,10,12
b,ann,old,new,right,12,10
c,ann,new,old,tie,9,9
a,bob,old,new,right,12,10
b,bob,new,old,left,10,12
c,bob,new,old,left,9,9
"""


@pytest.mark.parametrize("name", reference.pages())
def test_reference_page_is_current(name):
    written = (REPO / "ui" / "guide" / name).read_text("utf-8")
    current = "run `python -m engine.cli.reference ui/guide` and commit what it writes"
    assert written == reference.pages()[name], current


def test_every_command_that_prints_json_has_a_shape():
    known = {
        words
        for words, command in reference.every(cli)
        if any(option.name == "as_json" for option in command.params)
    }
    assert known == set(SHAPES)


def kinds_emitted():
    """The kind of each event that the engine emits by name."""
    for path in (REPO / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if named and node.func.attr == "emit" and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def test_every_event_kind_is_described():
    emitted = set(kinds_emitted())
    assert {"log", "metric", "progress", "sample"} <= emitted
    assert emitted - set(EVENTS) == set()


def fits(value, shape):
    """Whether a printed value is what the shape promises."""
    if isinstance(shape, str):
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if isinstance(shape, dict):
        named = {key: each for key, each in shape.items() if key not in ("...", "METRIC")}
        open_ = [each for key, each in shape.items() if key in ("...", "METRIC")]
        rest = {key: each for key, each in value.items() if key not in named}
        if "METRIC" in shape:
            return bool(rest) and all(fits(each, shape["METRIC"]) for each in rest.values())
        known = set(named) | {name for each in open_ for name in reference.fields(each)}
        return set(value) == known and all(fits(value[key], each) for key, each in named.items())
    assert issubclass(shape, BaseModel)
    return set(value) == set(reference.fields(shape))


@pytest.mark.parametrize(
    "words",
    [
        "data list", "models", "models list", "jobs", "jobs list", "jobs queue", "loop status",
        "loop history", "people list", "rating rounds", "rating audit",
        "preferences rules", "rating plan", "rating verdict --wins 9 --losses 2",
        "rating agreement VOTES", "rating ranking VOTES --baseline old",
        "rating bias VOTES --new new", "rating quality VOTES",
        "training estimate sft --parameters 7B --memory-gb 16",
        "evaluation score --predictions TEXT --references TEXT --metrics bleu,exact_match",
        "people add Ada --role owner",
    ],
)  # fmt: skip
def test_command_prints_the_json_that_the_reference_promises(tuneloop, tmp_path, words):
    ws = open_workspace()
    helpers.dataset(ws, helpers.project(ws).id, tmp_path)
    ws.close()
    (tmp_path / "VOTES").write_text(VOTES)
    (tmp_path / "TEXT").write_text("yes\nno\nmaybe\n")
    files = {name: str(tmp_path / name) for name in ("VOTES", "TEXT")}
    code, out, err = tuneloop(*(files.get(word, word) for word in words.split()), "--json")
    assert code in (0, 1), err
    named = max((each for each in SHAPES if f"{words} ".startswith(f"{each} ")), key=len)
    assert fits(json.loads(out), SHAPES[named])


def test_usage_line_names_arguments_and_options():
    text = reference.commands()
    assert "tuneloop data add FILE... [OPTIONS]" in text
    assert isinstance(cli.commands["data"], click.Group)
    assert "tuneloop data COMMAND" in text
