"""Files that are parsed in a process of their own, and what becomes of it when they are hostile."""

import gzip
import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.errors import NotFound, UserError
from engine.formats import isolated
from engine.formats.files.any_file import rows_of
from engine.formats.read import known_columns, read_file
from engine.services.data import row_process

ROW = {"prompt": "grün?", "completion": "ja"}


def test_file_read_apart_gives_the_same_rows_as_one_read_here(tmp_path):
    path = tmp_path / "odd name\n.jsonl"
    lines = [json.dumps(ROW), "{", "[" * 990 + "]" * 990, '{"a": "\\ud800"}'] + [
        json.dumps(ROW)
    ] * 9000
    path.write_text("\n".join(lines), encoding="utf-8")
    assert path.stat().st_size > isolated.SMALL
    known = known_columns()
    assert isolated.rows_of(path, path.name, known) == rows_of(path, path.name, known)


def test_dates_and_decimals_become_texts_and_bytes_are_left_out(tmp_path):
    from datetime import date
    from decimal import Decimal

    path = tmp_path / "a.parquet"
    row = {"prompt": "a", "completion": "b", "day": date(2024, 1, 2), "price": Decimal("1.50")}
    pq.write_table(pa.Table.from_pylist([{**row, "picture": b"\xff"}]), path)
    found = isolated.rows_of(path, "a.parquet", known_columns())
    assert found.rows == [
        (
            1,
            {
                "prompt": "a",
                "completion": "b",
                "day": "2024-01-02",
                "price": "1.50",
                "picture": None,
            },
        )
    ]


def test_error_inside_comes_back_as_the_same_sentence(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"%PDF-1.7"))
    with pytest.raises(UserError, match="The file is a PDF") as caught:
        read_file(path, "a.gz")
    assert caught.value.fix.startswith("Give JSONL")
    with pytest.raises(NotFound):
        isolated.rows_of(tmp_path / "none", "none", known_columns())


def test_reader_that_wants_too_much_memory_is_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "a"}\n' * 500_000, 1))
    monkeypatch.setattr(isolated, "MEMORY", 300 * 1024**2)
    with pytest.raises(UserError, match=r"memory|exceeds the limits"):
        read_file(path, "a.gz")


def test_reader_that_turns_in_circles_is_stopped_by_its_processor_time(tmp_path, monkeypatch):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "a"}\n' * 2_000_000, 1))
    monkeypatch.setattr(isolated, "CPU_S", 1)
    with pytest.raises(UserError, match="more than 1 seconds of processor time"):
        read_file(path, "a.gz")


def test_reader_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 900\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    monkeypatch.setattr(isolated, "WALL_S", 0.01)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"takes more than 0\.01 seconds"):
        read_file(path, "a.gz")
    assert time.monotonic() - began < 600  # it did not wait for the reader


@pytest.mark.parametrize("printed", ["", '["row", [1, {"a": ', '["row", [1, {"prompt": "a"}]]\n'])
def test_reader_that_dies_gives_no_part_of_its_rows(tmp_path, monkeypatch, printed):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nprintf '%s' '{printed}'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    with pytest.raises(UserError, match="exceeds the limits of the reader"):
        read_file(path, "a.gz")


def test_small_plain_text_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", os.devnull)
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW))
    assert len(read_file(path, "a.jsonl").examples) == 1


def test_random_bytes_behind_the_mark_of_a_container_are_a_sentence(tmp_path):
    for mark in (b"PK\x03\x04", b"PAR1", b"\x1f\x8b"):
        path = tmp_path / "file"
        path.write_bytes(mark + random.Random(0).randbytes(3000))
        with pytest.raises(UserError, match=r"\.$"):
            read_file(path, "upload")


class Readers:
    """In place of `subprocess.run`: each reader stays inside until it is let go."""

    def __init__(self) -> None:
        self.entered, self.let_go = threading.Semaphore(0), threading.Semaphore(0)
        self.inside, self.most, self._lock = 0, 0, threading.Lock()

    def run(self, arguments, **_):
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.entered.release()
        assert self.let_go.acquire(timeout=60)
        with self._lock:
            self.inside -= 1
        return subprocess.CompletedProcess(arguments, 0, stdout=b'["answer", "1"]')


def test_readers_of_files_and_rows_are_two_at_once_and_the_others_wait(tmp_path, monkeypatch):
    readers = Readers()
    monkeypatch.setattr(subprocess, "run", readers.run)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))

    def file_reader():
        with pytest.raises(UserError):  # it printed no rows
            isolated.rows_of(path, path.name, frozenset())

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(file_reader) for _ in range(3)]
        jobs += [pool.submit(row_process.ask, "any.module", {}, "a.gz") for _ in range(3)]
        for _ in range(2):
            assert readers.entered.acquire(timeout=60)
        assert not isolated.READERS.acquire(blocking=False)
        for _ in jobs[2:]:  # one leaves, one comes in
            readers.let_go.release()
            assert readers.entered.acquire(timeout=60)
            assert readers.inside <= 2
        for _ in range(2):
            readers.let_go.release()
        for job in jobs:
            job.result(timeout=60)
    assert (readers.most, readers.inside) == (2, 0)
    assert isolated.READERS.acquire(blocking=False)
    isolated.READERS.release()
