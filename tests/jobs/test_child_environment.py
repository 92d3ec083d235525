"""What a process gets that runs models and reads what others made."""

import json
import subprocess
import sys

import pytest

from engine import worker
from engine.core.child_environment import for_files, passed_on
from engine.core.job import Job
from engine.formats import isolated
from tests import helpers
from tests.ui import results

SECRETS = {
    "HF_TOKEN": "1", "HUGGING_FACE_HUB_TOKEN": "2", "WANDB_API_KEY": "3", "OPENAI_API_KEY": "4",
    "AWS_SECRET_ACCESS_KEY": "5", "TUNELOOP_JUDGE_KEY": "6", "MLFLOW_TRACKING_PASSWORD": "7",
    "DATABASE_PASSWORD": "8", "SESSION_SECRET": "9", "GITHUB_TOKEN": "10", "MY_SERVER": "11",
}  # fmt: skip
NEEDED = {
    "PATH": "/bin", "HOME": "/home/me", "PYTHONPATH": "/x", "CUDA_VISIBLE_DEVICES": "0",
    "HF_HOME": "/cache", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C",
    "TOKENIZERS_PARALLELISM": "false", "TUNELOOP_HOME": "/data", "https_proxy": "http://proxy",
}  # fmt: skip


def test_process_of_a_job_gets_what_libraries_need_and_no_secret():
    assert passed_on({**SECRETS, **NEEDED}, "sft") == NEEDED


def test_process_that_handles_files_learns_no_address_and_no_data_folder():
    given = {**SECRETS, **NEEDED, "TUNELOOP_DATABASE_URL": "postgresql://me:word@host/name"}
    kept = {"PATH", "HOME", "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "LC_ALL"}
    assert for_files(given) == {name: NEEDED[name] for name in kept}


@pytest.mark.parametrize(
    ("kind", "trackers", "more"),
    [
        ("sft", ["wandb"], {"WANDB_API_KEY"}),
        ("dpo", ["mlflow", "tensorboard"], {"MLFLOW_TRACKING_PASSWORD"}),
        ("sft", ["trackio"], {"HF_TOKEN"}),
        ("download", [], {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}),
        ("judge", [], {"TUNELOOP_JUDGE_KEY"}),
        ("evaluate", [], set()),
        ("", [], set()),
    ],
)
def test_process_of_a_job_gets_the_secrets_that_it_uses(kind, trackers, more):
    assert set(passed_on(SECRETS, kind, trackers)) == more


def test_operator_can_pass_more():
    named = {"TUNELOOP_PASS_ENVIRONMENT": "MY_SERVER, OPENAI_API_KEY"}
    assert set(passed_on({**SECRETS, **named})) == {*named, "MY_SERVER", "OPENAI_API_KEY"}


@pytest.fixture
def planted():
    """The environments that processes are started with; the database is dropped by a real one."""
    started = []

    def start(*command, **options):
        started.append(options["env"])
        raise OSError("not here")

    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        patch.setattr(subprocess, "Popen", start)
        yield started


def test_worker_starts_a_job_without_the_secrets_of_the_server(ws, tmp_path, planted):
    project = helpers.project(ws)
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
    values = {"model": base.id, "dataset": data.id, "trackers": ["tensorboard"]}
    job: Job = results.submit(ws, project.id, "sft", **values)
    with pytest.raises(OSError, match="not here"):
        worker.Worker(ws)._start(helpers.claimed(ws, job.id))
    [given] = planted
    assert not set(given) & set(SECRETS)
    assert given["TUNELOOP_HOME"] == str(ws.settings.home)
    assert "PATH" in given


def test_reader_of_an_uploaded_file_gets_no_secret(tmp_path, monkeypatch):
    seen = tmp_path / "seen.json"
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    run = subprocess.run

    def instead(command, **options):
        code = f"import json, os; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))"
        return run([sys.executable, "-c", code], **options)

    monkeypatch.setattr(isolated.subprocess, "run", instead)
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(Exception):  # noqa: B017 -- the stand-in reads nothing
        isolated.rows_of(path, path.name, frozenset())
    assert not set(json.loads(seen.read_text())) & set(SECRETS)
