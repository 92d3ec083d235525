"""Output in any encoding, into any pipe; work that fails is told by the exit code."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

from engine.cli import common, rounds
from engine.core.event import ProgressEvent
from engine.workspace import open_workspace
from tests.rating.rated import started


def run(home, *arguments, encoding):
    environment = {**os.environ, "TUNELOOP_HOME": str(home), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "engine", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


@pytest.fixture
def emoji_file(tmp_path):
    path = tmp_path / "naïve 漢字 😀.jsonl"
    rows = [{"prompt": f"😀 {n}?", "completion": f"naïve 漢字 {n}"} for n in range(8)]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return path


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_command_writes_to_a_stream_of_any_encoding(tmp_path, emoji_file, encoding):
    done = run(tmp_path / "home", "data", "add", emoji_file, encoding=encoding)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    done = run(tmp_path / "home", "data", "check", emoji_file, "--json", encoding=encoding)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert json.loads(done.stdout.decode(encoding))["rows"] == 8


def test_command_whose_reader_leaves_ends_quietly(tmp_path):
    """As `tuneloop ... | head -1` does, whatever is left to write."""
    command = [sys.executable, "-m", "engine", "rating", "--help"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_round_without_comparisons_exits_with_an_error_code(tuneloop, home, tmp_path, monkeypatch):
    """Both models gave the same answers: the job ends well, and nobody can rate anything."""
    ws = open_workspace()
    failed = started(ws, tmp_path, "train_pairs", same=True)
    ws.close()
    assert failed.status == "failed"
    monkeypatch.setattr(rounds.round_service, "start", lambda *_, **__: failed)
    monkeypatch.setattr(rounds, "working", lambda _: nullcontext())
    monkeypatch.setattr(rounds, "wait", lambda *_: None)
    code, out, err = tuneloop(
        "rating", "rounds", "start", "--model", "secret-new", "--dataset", "faq"
    )
    assert code == 1, err
    assert (out, "has nothing to rate" in err) == ("", True)


def test_progress_of_a_command_is_a_share_whatever_is_counted(capsys):
    """An export counts each question twice, once for each program."""
    far = {"done": 21, "total": 100, "label": "answers"}
    common.Watching("Export").show_event(ProgressEvent(job_id="j", seq=1, at=0.0, data=far))
    assert "21 %: answers" in capsys.readouterr().err
