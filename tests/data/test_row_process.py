"""Rows that are worked on in a process of their own: the same results, nothing kept half-made."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.core.actor import LOCAL
from engine.core.errors import NotFound, UserError
from engine.formats import isolated
from engine.services.data import datasets, prepared_rows, row_process, staging
from engine.services.data.prepared_rows import CheckRows, FixRows, LoadFile, ReadFile, Reading
from engine.services.data.row_file import RowFile
from engine.services.data.version_diff import CompareRows, VersionFiles
from tests import helpers

ROOT = Path(__file__).parents[2]
FEW, MANY = 1_000, 7_000  # rows, both of more than isolated.SMALL
SHARE = 5 * 2**20  # bytes that the difference may take here
DRIVE = """
import sys
from pathlib import Path
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.data import cleaning, datasets, preview, staging, statistics
from engine.services.data.datasets import Reading
from engine.workspace import open_workspace

ws, path = open_workspace(), Path(sys.argv[1])
upload = staging.stage(ws, LOCAL, path, path.name)
for share in (0.15, 0.3):
    preview.preview_upload(ws, LOCAL, upload, Reading(), share)
fixes = ["drop_exact_duplicates"]
cleaning.preview_upload(ws, LOCAL, upload, Reading(), fixes)
project = projects.create(ws, LOCAL, "P").id
kept = staging.add(ws, LOCAL, project, upload, Reading(), "a", 0.2, fixes)
print(kept.rows)
peak = next(line for line in Path("/proc/self/status").read_text().split("\\n") if "VmHWM" in line)
print(int(peak.split()[1]) * 1024)
"""


def chats(path, rows, repeated=0):
    with path.open("w") as file:
        for n in [*range(rows), *range(repeated)]:
            asked = f"how does number {n} compare with {n * 7919 % 10_007} and {n % 13}?"
            answer = f"it is {n} more than {n % 97}, which " + "is " * 60
            file.write(json.dumps({"prompt": asked, "completion": answer}) + "\n")
    return path


@pytest.fixture
def apart(monkeypatch):
    """Every file is worked on in a process of its own, however small."""
    monkeypatch.setattr(isolated, "SMALL", -1)


def made(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def every_task(tmp_path, name):
    """Answers and files of each task, in the folder of this name."""
    path = chats(tmp_path / "faq.jsonl", 30, repeated=4)
    found = {}

    def does(task, file):
        task.folder.mkdir(parents=True)
        found[type(task).__name__] = row_process.run(task, file, "faq.jsonl"), made(task.folder)

    home = tmp_path / name
    does(LoadFile(path=path, name=path.name, folder=home / "loaded"), path)
    loaded = home / "loaded" / prepared_rows.LOADED
    does(CheckRows(loaded=loaded, how=Reading(), folder=home / "checked"), loaded)
    does(ReadFile(path=path, name=path.name, how=Reading(), folder=home / "read"), path)
    checked = found["CheckRows"][0]
    rows = RowFile(path=home / "checked" / prepared_rows.EXAMPLES, sha256=checked.sha256)
    fixes = ("drop_exact_duplicates", "system_prompt:Be brief.")
    does(
        FixRows(rows=rows, layout=checked.layout, kind="sft", fixes=fixes, folder=home / "fixed"),
        rows.path,
    )
    fixed = found["FixRows"][0].checked
    sides = tmp_path / "sides.json"
    sides.write_text(json.dumps(["train"] * 34))
    after = RowFile(path=home / "fixed" / prepared_rows.EXAMPLES, sha256=fixed.sha256)
    older, newer = (VersionFiles(rows=each, sides=sides) for each in (rows, after))
    compare = CompareRows(older=older, newer=newer, related=True)
    found["CompareRows"] = row_process.run(compare, rows.path, "faq@1"), {}
    return found


def test_task_gives_the_same_here_and_in_a_process_of_its_own(tmp_path, monkeypatch):
    here = every_task(tmp_path, "here")
    monkeypatch.setattr(isolated, "SMALL", -1)
    assert every_task(tmp_path, "apart") == here
    assert here["CheckRows"][0].rows == 34
    assert here["FixRows"][0].change.removed == 4
    assert here["FixRows"][0].change.changed == 30
    assert [part.rows for part in here["CompareRows"][0]] == [0, 4, 30, 0, 0]


def test_many_rows_read_from_the_disk_give_the_same_as_in_memory(tmp_path, monkeypatch):
    here = every_task(tmp_path, "here")
    monkeypatch.setattr(prepared_rows, "IN_MEMORY", 7)
    assert every_task(tmp_path, "disk") == here


def test_row_of_megabytes_is_shown_without_most_of_its_text(tmp_path, apart):
    path = tmp_path / "long.jsonl"
    turns = [
        {"role": role, "content": f"{n} " + "long " * 100_000}
        for n in range(15)
        for role in ("user", "assistant")
    ]
    path.write_text(json.dumps({"messages": turns}) + "\n")
    task = ReadFile(path=path, name=path.name, how=Reading(), folder=tmp_path)
    (shown,) = row_process.run(task, path, path.name).first
    assert sum(len(turn.content) for turn in shown.messages) <= prepared_rows.LONGEST_SHOWN
    assert shown.answer.startswith("14 long")


def test_refusals_come_back_as_the_same_sentences(ws, tmp_path, apart):
    path = chats(tmp_path / "faq.jsonl", 30)
    upload = staging.stage(ws, LOCAL, path, path.name)
    with pytest.raises(UserError, match="30 of 30 rows cannot be read; row 1: ") as caught:
        staging.check(ws, LOCAL, upload, Reading(layout="text"))
    assert type(caught.value) is UserError
    (folder,) = (ws.files / "cache" / "staged").glob("*/*")
    (folder / "rows.jsonl").write_text("[]")
    with pytest.raises(NotFound, match="no longer on the server"):
        staging.check(ws, LOCAL, upload, Reading())


def left_over(ws):
    """Files of uploads, rows that are being made, and dataset folders."""
    kept = [ws.files / "cache" / "staged", ws.files / "cache" / "making", ws.files / "datasets"]
    return [path for folder in kept for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -KILL $$", "exceeds the limits of the reader"),
        ("kill -XCPU $$", "seconds of processor time"),
        ('echo \'["answer", "{\'', "exceeds the limits of the reader"),
        ("exit 1", "exceeds the limits of the reader"),
    ],
)
def test_reader_that_is_killed_leaves_nothing(ws, tmp_path, monkeypatch, apart, script, said):
    path, project = chats(tmp_path / "faq.jsonl", 30), helpers.project(ws).id
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(UserError, match=said):
        staging.stage(ws, LOCAL, path, path.name)
    with pytest.raises(UserError, match=said):
        datasets.add(ws, LOCAL, project, path, path.name)
    assert left_over(ws) == []
    assert datasets.list_all(ws, LOCAL, project) == []


def test_reader_ends_with_the_process_that_asked_and_nothing_is_staged(ws, tmp_path):
    path = chats(tmp_path / "faq.jsonl", 3_000)
    code = "import sys; exec(sys.argv.pop())"
    asking = subprocess.Popen(
        [sys.executable, "-c", code, str(path), DRIVE], cwd=ROOT, env=environment(ws)
    )
    try:
        reader = reader_of(psutil.Process(asking.pid))
        reader.send_signal(signal.SIGSTOP)  # it cannot finish by itself
    finally:
        asking.send_signal(signal.SIGKILL)
        asking.wait()
    psutil.wait_procs([reader], timeout=120)
    assert not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE
    assert not list((ws.files / "cache" / "staged").glob("*/*/upload.json"))
    staging.sweep(ws, time.time() + row_process.WALL_S + 60)
    assert left_over(ws) == []


def reader_of(asking):
    """The process that reads for this one, once it has set its limits."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for child in asking.children():
            if child.rlimit(psutil.RLIMIT_CORE) == (0, 0):
                return child
        time.sleep(0.005)
    raise AssertionError("no reader started")


def environment(ws):
    return {**os.environ, **ws.settings.environment(), "PYTHONPATH": str(ROOT)}


def test_memory_of_whoever_asks_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for rows in (FEW, MANY):
        path = chats(tmp_path / f"{rows}.jsonl", rows, repeated=9)
        home = {"TUNELOOP_HOME": str(tmp_path / f"home-{rows}")}
        done = subprocess.run(
            [sys.executable, "-c", DRIVE, str(path)],
            cwd=ROOT,
            env={**os.environ, **home, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        counted, peak = done.stdout.strip().split("\n")
        assert int(counted) == rows
        peaks.append(int(peak))
    assert peaks[1] - peaks[0] < SHARE
