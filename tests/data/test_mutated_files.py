"""Damaged files of every kind: success or a sentence, within limits, nothing half kept."""

import json
import resource
import shutil
import time

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.formats.files.any_file import rows_in
from engine.formats.read import known_columns, understand
from engine.formats.votes.read import read_votes
from engine.models import folder_check
from engine.services import backups
from engine.services.data import datasets
from engine.services.rating.vote_import import VoteImport
from engine.services.training import recipe_import
from engine.workspace import Settings
from tests import helpers
from tests.data import mutations

LONGEST = 300
CPU_S, MORE_MB = 20.0, 1500.0  # of one file; by all files together
KNOWN = known_columns()
SMALL = pytest.param(40, id="few")
MANY = pytest.param(1000, id="many", marks=pytest.mark.proof)


def memory_mb():
    """The most that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows(sample, data, _folder):
    found = understand(rows_in(data, sample.name, KNOWN))
    for flaw in found.broken:
        assert flaw.row > 0
        assert len(flaw.reason) <= LONGEST, flaw.reason


def votes(sample, data, folder):
    path = folder / sample.name
    path.write_bytes(data)
    how = VoteImport()
    read_votes(path, sample.name, how.mapping, how.format)


def recipe(sample, data, folder):
    path = folder / sample.name
    path.write_bytes(data)
    recipe_import.read(path)


def tried(samples, read, count, folder):
    """How many were read and how many refused; whatever else is raised ends it."""
    outcomes = {"read": 0, "refused": 0}
    for number in range(count):
        sample = samples[number % len(samples)]
        data, start = mutations.damaged(sample.data, number), time.process_time()
        try:
            text = ""
            read(sample, data, folder)
            outcomes["read"] += 1
        except UserError as error:
            outcomes["refused"] += 1
            text = str(error)
        except Exception as error:
            raise AssertionError(f"number {number}, {sample.name}: {data[:300]!r}") from error
        assert len(text) <= LONGEST, (number, text)
        assert text.isprintable(), (number, text)
        took = time.process_time() - start
        assert took < CPU_S, (number, sample.name, took)
    return outcomes


@pytest.mark.parametrize("count", [SMALL, MANY])
@pytest.mark.parametrize(
    ("samples", "read"),
    [(mutations.ROW_FILES, rows), (mutations.VOTE_FILES, votes), (mutations.RECIPES, recipe)],
    ids=["rows", "votes", "recipes"],
)
def test_damaged_file_is_read_or_refused_in_a_sentence(samples, read, count, tmp_path):
    before = memory_mb()
    many = count * 3 if samples is mutations.ROW_FILES and count > 100 else count
    outcomes = tried(samples, read, many, tmp_path)
    print(f"{read.__name__}: {outcomes}, {memory_mb() - before:.0f} MB more")
    assert min(outcomes.values()) > many / 40
    assert memory_mb() - before < MORE_MB


@pytest.mark.parametrize("count", [SMALL, pytest.param(300, id="many", marks=pytest.mark.proof)])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_damaged_file_is_a_dataset_or_leaves_nothing(ws, tmp_path, count):
    project = helpers.project(ws)
    samples = [one for one in mutations.ROW_FILES if one.name.split(".")[-1] not in
               ("parquet", "xlsx", "zip", "gz")]  # fmt: skip

    def kept():
        return {each.name for each in (ws.files / "datasets").glob("*")}

    def add(sample, data, folder):
        path = folder / sample.name
        path.write_bytes(data)
        datasets.add(ws, LOCAL, project.id, path, sample.name)

    tried(samples, add, count, tmp_path)
    known = datasets.list_all(ws, LOCAL, project.id)
    assert kept() == {one.id for one in known}
    assert known
    for one in known:
        assert len(datasets.load_rows(ws, one)) == one.rows


@pytest.mark.parametrize("count", [SMALL, pytest.param(300, id="many", marks=pytest.mark.proof)])
def test_damaged_backup_is_restored_or_leaves_the_folder_empty(home, ws, tmp_path, count):
    if not ws.settings.database_url.startswith("sqlite"):
        pytest.skip("a copy of PostgreSQL is made by its own programs")
    helpers.project(ws)
    sound = backups.make(ws, LOCAL, tmp_path / "sound.db").read_bytes()
    number = 0

    def restore(sample, data, folder):
        nonlocal number
        number += 1
        source, to = folder / "copy.db", folder / f"home-{number}"
        source.write_bytes(data)
        settings = Settings(home=to, database_url=f"sqlite:///{to / 'tuneloop.db'}")
        try:
            backups.restore(settings, LOCAL, source)
            assert (to / "tuneloop.db").is_file()
        except UserError:
            assert not to.exists() or not list(to.iterdir())
            raise
        finally:
            shutil.rmtree(to, ignore_errors=True)

    tried([mutations.Sample("copy.db", sound)], restore, count, tmp_path)


@pytest.mark.train
@pytest.mark.parametrize("count", [SMALL, pytest.param(700, id="many", marks=pytest.mark.proof)])
def test_damaged_model_folder_is_taken_or_refused(tiny_model, tmp_path, count):
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
             "generation_config.json")  # fmt: skip
    files = [mutations.Sample(name, (tiny_model / name).read_bytes()) for name in names
             if (tiny_model / name).is_file()]  # fmt: skip
    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)

    def check(sample, data, _folder):
        (folder / sample.name).write_bytes(data)
        try:
            folder_check.check(folder)
        finally:
            (folder / sample.name).write_bytes(sample.data)

    tried(files, check, count, tmp_path)
    assert json.loads((folder / "config.json").read_bytes())
