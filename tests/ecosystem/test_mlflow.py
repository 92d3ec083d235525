"""A training written to a real MLflow server with a SQLite database, and read back from it."""

import os
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from engine.methods import sft
from tests.methods.fake_context import BASE, MemoryContext, chats
from tests.serving import free_port

pytestmark = pytest.mark.train
START_S = 120  # the server imports for long on a busy machine


@pytest.fixture
def server(tmp_path):
    """The address of `mlflow server`, in the environment that tests/ecosystem/run made."""
    place = os.environ.get("TUNELOOP_ECOSYSTEM")
    if not place:
        pytest.skip("needs an environment of its own: tests/ecosystem/run mlflow makes it")
    address = f"http://127.0.0.1:{free_port()}"
    store = tmp_path / "server"
    store.mkdir()
    command = [str(Path(place) / "bin" / "mlflow"), "server", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(store / "artifacts")]
    command += ["--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    known = {**os.environ, "PYTHONPATH": "", "MLFLOW_DISABLE_TELEMETRY": "true"}
    known["PATH"] = f"{Path(place) / 'bin'}{os.pathsep}{known['PATH']}"
    with (store / "log").open("wb") as log, subprocess.Popen(
        command, stdout=log, stderr=log, env=known, start_new_session=True
    ) as process:  # fmt: skip
        try:
            _answers(address, process, store / "log")
            yield address
        finally:
            os.killpg(process.pid, 15)  # and the workers of the server


def _answers(address, process, log):
    until = time.monotonic() + START_S
    while True:
        try:
            with urlopen(f"{address}/health", timeout=5) as answer:
                assert answer.read() == b"OK"
                return
        except (TimeoutError, URLError, ConnectionError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)


def test_mlflow_server_holds_the_numbers_of_the_run(tiny_model, tmp_path, server, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4))
    asked = {"max_steps": 4, "samples": 0, "num_evals": 2}
    sft.run(sft.Recipe(model=BASE, dataset="d", trackers=["mlflow"], **asked), ctx)
    assert f"MLflow is written to {server}" in ctx.said()
    client = mlflow.MlflowClient(server)
    (experiment,) = [each for each in client.search_experiments() if each.name == "tuneloop"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("sft-0abc", "FINISHED")
    assert run.data.params["max_steps"] == "4"
    kept = [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, "loss")]
    said = [(event.step, event.data["loss"]) for event in ctx.events
            if event.kind == "metric" and "loss" in event.data]  # fmt: skip
    assert sorted(kept) == said
