"""A Hub that answers with anything: what it says is shown, or refused in a sentence."""

import json
import random
import re

import pytest

from engine.core import hub_words
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.hub import NAME as PATTERN
from engine.services import hub as service
from tests import hub_server
from tests.hub_server import Repo

NAME = "makers/tiny-chat"
ODD = (
    None, True, False, 0, -1, 1.5, 10**30, 10**400, -(10**400), float("inf"), float("nan"), "", "x",
    "\ud800", "a\x00b", "\x1b[2J", "../../etc/passwd", "x" * 100_000, [], {}, [[]], [None], [{}],
    {"a": {"b": []}}, "10", ["x", 1], {"license": 5}, [{"rfilename": 5}],
)  # fmt: skip


@pytest.fixture
def database_url(tmp_path):
    """What the Hub says is the same on every database."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def repo(hub, tiny_model):
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    return hub.repos[NAME]


def places(value, path=()):
    """Every place in a JSON value, from the outside inwards."""
    yield path
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, part in inside:
        yield from places(part, (*path, key))


def put(value, path, odd):
    """A copy of the value with `odd` at a place."""
    if not path:
        return odd
    copy = value.copy()
    copy[path[0]] = put(copy[path[0]], path[1:], odd)
    return copy


def some(value, seed, number):
    """So many of all ways to put something odd into the value, always the same."""
    every = [(path, odd) for path in places(value) for odd in ODD]
    return random.Random(seed).sample(every, min(number, len(every)))


def readable(act, *parts):
    """What was said, or a refusal in words, never another error."""
    refused = ""
    try:
        act(*parts)
    except UserError as error:
        refused = error.problem
    assert len(refused) <= 300
    assert refused.isprintable()


def shown(ws):
    base = service.look(ws, LOCAL, NAME)
    for label, value in hub_words.facts(base):
        assert label
        assert value.isprintable()
    for obstacle in hub_words.obstacles(base):
        assert all(part.isprintable() for part in obstacle)


def searched():
    for match in service.search(LOCAL, "tiny").models:
        assert re.fullmatch(PATTERN, match.name)
        assert (match.licence or "").isprintable()
        assert match.parameters is None or 0 < match.parameters < 2**53


def test_repository_described_with_odd_values_is_shown_or_refused(ws, repo, monkeypatch):
    about = repo.about(NAME, repo.newest, blobs=True)
    for path, odd in some(about, seed=7, number=50):
        monkeypatch.setattr(repo, "about", lambda *_, **__: put(about, path, odd))  # noqa: B023
        readable(shown, ws)
        readable(searched)


def test_configuration_with_odd_values_is_shown_or_refused(ws, hub, repo):
    files = repo.commits[repo.newest]
    for name in ("config.json", "tokenizer_config.json"):
        value = json.loads(files[name])
        for path, odd in some(value, seed=8, number=25):
            changed = json.dumps(put(value, path, odd)).encode()
            hub.repos[NAME] = Repo({**files, name: changed}, **repo.info)
            readable(shown, ws)


def test_impossible_sizes_are_no_sizes(ws, repo, monkeypatch):
    about = repo.about(NAME, repo.newest, blobs=True)
    about = put(about, ("safetensors", "total"), 10**400)
    for number in range(len(about["siblings"])):
        about = put(about, ("siblings", number, "size"), 10**400)
    monkeypatch.setattr(repo, "about", lambda *_, **__: about)
    base = service.look(ws, LOCAL, NAME)
    assert (base.parameters, base.bytes, base.files) == (None, 0, ())
    assert service.search(LOCAL, "tiny").models[0].parameters is None


def test_file_that_is_listed_twice_counts_once(ws, repo, monkeypatch):
    about = repo.about(NAME, repo.newest, blobs=True)
    once = service.look(ws, LOCAL, NAME)
    twice = {**about, "siblings": about["siblings"] * 2}
    monkeypatch.setattr(repo, "about", lambda *_, **__: twice)
    assert service.look(ws, LOCAL, NAME).files == once.files
