"""Memory of the web process while a file is dropped, looked at, fixed, added and opened.

The services are called as the page calls them, in a process of its own; the rows are in processes
that it starts. What is printed is its highest memory after each step, and what that is more than
before the first one.

    pytest -s -o python_files='bench_*.py' tests/bench/bench_uploads.py

TUNELOOP_BENCH_ROWS names other numbers of rows, such as 50000,1000000; a million are 200 MB.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import bench_tools

SIZES = os.environ.get("TUNELOOP_BENCH_ROWS", "20000,60000").split(",")
FIX = "drop_exact_duplicates"
ROOT = Path(__file__).parents[2]
DRIVE = """
import resource, sys, time
from pathlib import Path
from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.data import cleaning, datasets, leakage, preview, staging, versions
from engine.services.data.datasets import Reading
from engine.services.data.opened_rows import opened
from engine.workspace import open_workspace
from ui import app

ws, path, how = open_workspace(), Path(sys.argv[1]), Reading()
app.build(ws)
project = projects.create(ws, LOCAL, "Bench").id


def peak():
    lines = Path("/proc/self/status").read_text().split("\\n")
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def used():
    own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime, others.ru_utime + others.ru_stime


def step(name, work):
    (own, others), began = used(), time.monotonic()
    made = work()
    own, others = (now - before for now, before in zip(used(), (own, others)))
    took = time.monotonic() - began
    most = peak()
    print(f"{name:22}{most:7.0f} MB (+{most - start:4.0f}), CPU {own:6.1f} s here, "
          f"{others:6.1f} s in readers, {took:6.1f} s", flush=True)
    return made


start = peak()
print(f"{'before':22}{start:7.0f} MB", flush=True)
fixes = [sys.argv[2]]
upload = step("parse", lambda: staging.stage(ws, LOCAL, path, path.name))
step("check", lambda: preview.preview_upload(ws, LOCAL, upload, how))
step("held-out share", lambda: preview.preview_upload(ws, LOCAL, upload, how, 0.2))
step("a ticked fix", lambda: cleaning.preview_upload(ws, LOCAL, upload, how, fixes))
kept = step("add", lambda: staging.add(ws, LOCAL, project, upload, how, "a", 0.2, fixes))
step("open", lambda: opened(ws, LOCAL, kept.id, 4))
step("overlaps", lambda: leakage.overlaps(ws, LOCAL, kept.id))
step("compare", lambda: versions.diff(ws, LOCAL, kept.origin["mended"], kept.id))
print(f"rows: {kept.rows:,}")
"""


@pytest.mark.parametrize("rows", list(map(int, SIZES)))
def test_memory_of_the_web_process(rows, tmp_path):
    path = tmp_path / "chats.jsonl"
    write(path, rows)
    under = bench_tools.conditions()
    print(f"\n{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
    subprocess.run(
        [sys.executable, "-c", DRIVE, str(path), FIX],
        cwd=ROOT,
        env={**os.environ, "TUNELOOP_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    print(under)


def write(path: Path, rows: int) -> None:
    """Questions and answers of about 200 bytes a row, one in a hundred said before."""
    draw = random.Random(0)
    words = [f"w{n}" for n in range(20_000)]
    with path.open("w") as file:
        line = ""
        for n in range(rows):
            if n % 100:
                asked, answer = " ".join(draw.choices(words, k=12)), draw.choices(words, k=14)
                row = {"prompt": f"{asked}?", "completion": " ".join(answer)}
                line = json.dumps(row) + "\n"
            file.write(line or '{"prompt": "first?", "completion": "yes"}\n')
