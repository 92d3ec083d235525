"""Real trainings that are also written to trackers: what is read back is what the run said."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from engine import child
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.core.job_context import Cancelled
from engine.methods import sft
from engine.services.jobs import lifecycle, listing
from engine.trackers.safe_tracker import FOLDER
from tests import helpers
from tests.methods.fake_context import BASE, MemoryContext, chats
from ui.components import forms

pytestmark = pytest.mark.train
KEY = "planted-0123456789abcdef"


def recipe(*trackers, **values):
    given = {"model": BASE, "dataset": "d", "max_steps": 4, "samples": 0, "num_evals": 2}
    return sft.Recipe(**{**given, **values}, trackers=list(trackers))


def trained(tiny_model, folder, *trackers, **values):
    ctx = MemoryContext(folder, tiny_model, chats(24), chats(4))
    sft.run(recipe(*trackers, **values), ctx)
    return ctx


@pytest.fixture(scope="module")
def plain(tiny_model, tmp_path_factory):
    """The same training, written nowhere."""
    return trained(tiny_model, tmp_path_factory.mktemp("plain"))


def tensorboard(ctx, tag):
    """The values that TensorBoard would show for `tag`, as (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(ctx.folder / FOLDER / "tensorboard")).Reload()
    return [(each.step, each.value) for each in found.Scalars(tag)]


def said_by_step(ctx, name):
    """What the run said of `name`; after a restart the last word on each step."""
    metrics = [event for event in ctx.events if event.kind == "metric" and name in event.data]
    return list({event.step: event.data[name] for event in metrics}.items())


def close(pairs):
    """Steps must be equal; TensorBoard keeps values in 32 bits."""
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in pairs]


def test_tensorboard_holds_the_numbers_of_the_run_and_changes_none(tiny_model, tmp_path, plain):
    ctx = trained(tiny_model, tmp_path / "a job", "tensorboard")
    assert ctx.metrics("loss") == plain.metrics("loss")
    assert ctx.metrics("eval_loss") == plain.metrics("eval_loss")
    assert tensorboard(ctx, "train/loss") == close(said_by_step(ctx, "loss"))
    assert tensorboard(ctx, "eval/loss") == close(said_by_step(ctx, "eval_loss"))
    folder = ctx.folder / FOLDER / "tensorboard"
    (said,) = [text for text in ctx.said() if "TensorBoard" in text]
    assert said == f"TensorBoard is written; open it with: tensorboard --logdir '{folder}'"


def test_run_that_goes_on_shows_each_step_once(tiny_model, tmp_path):
    broken = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4), cancel_after=3)
    asked = recipe("tensorboard", max_steps=6, num_evals=3)
    with pytest.raises(Cancelled):
        sft.run(asked, broken)
    shutil.rmtree(broken.folder / "checkpoints" / "ckpt-000000003")  # as if it was killed there
    again = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4))
    sft.run(asked, again)
    assert "Going on from the checkpoint of step 2." in again.said()
    assert [step for step, _ in tensorboard(again, "train/loss")] == [1, 2, 3, 4, 5, 6]
    assert tensorboard(again, "train/loss") == close(said_by_step(again, "loss"))


def test_run_that_begins_anew_empties_the_folder(tiny_model, tmp_path):
    left = tmp_path / "job" / FOLDER / "tensorboard" / "events.out.tfevents.1.old"
    left.parent.mkdir(parents=True)
    left.write_text("of an attempt that left no checkpoint")
    trained(tiny_model, tmp_path / "job", "tensorboard", max_steps=1)
    assert not left.exists()


def test_installed_tracker_is_used_and_gets_the_end_of_the_run(tiny_model, tmp_path, theirs):
    ctx = trained(tiny_model, tmp_path / "job", "theirs", "theirs", max_steps=2, num_evals=1)
    heard = ctx.folder / FOLDER / "theirs" / "heard.txt"
    assert heard.read_text().split("\n")[-3:] == ["log 2", "finish True", ""]
    stopped = MemoryContext(tmp_path / "stopped", tiny_model, chats(24), cancel_after=1)
    with pytest.raises(Cancelled):
        sft.run(recipe("theirs"), stopped)
    heard = stopped.folder / FOLDER / "theirs" / "heard.txt"
    assert heard.read_text().split("\n")[-2:] == ["finish False", ""]


def test_tracker_that_breaks_costs_one_sentence_and_no_number(
    tiny_model, tmp_path, plain, theirs, monkeypatch
):
    monkeypatch.setenv("THEIRS_BREAKS", "yes")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    ctx = trained(tiny_model, tmp_path / "job", "theirs", "tensorboard")
    assert ctx.metrics("loss") == plain.metrics("loss")
    assert [text for text in ctx.said() if "could not" in text] == [
        "Theirs could not be written: refused the key …; the run goes on without it."
    ]
    assert tensorboard(ctx, "train/loss") == close(said_by_step(ctx, "loss"))
    heard = ctx.folder / FOLDER / "theirs" / "heard.txt"
    assert heard.read_text() == "log 0\nfinish False\n"


def holds(folder, text):
    """The files below `folder` in which `text` stands."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def test_tracker_secrets_stay_out_of_the_job(ws, tiny_model, tmp_path, theirs, monkeypatch, capfd):
    monkeypatch.setenv("THEIRS_BREAKS", "yes")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", "offline")
    names = ["theirs", "tensorboard", *(["wandb"] if find_spec("wandb") else [])]
    project = helpers.project(ws)
    start = helpers.model(ws, tiny_model.parent, tiny_model.name)
    data = helpers.dataset(ws, project.id, tmp_path)
    asked = recipe(*names, model=start.id, dataset=data.id, max_steps=2, evaluate_after=False)
    job = lifecycle.submit(ws, LOCAL, project.id, asked)
    helpers.claimed(ws, job.id)
    assert child.run(ws, job.id, 1) is State.DONE
    said = [event.model_dump_json() for event in lifecycle.watch(ws, LOCAL, job.id)]
    assert any("refused the key …" in each for each in said)
    assert KEY not in "".join([*said, forms.as_yaml(asked), *capfd.readouterr()])
    folder = ws.files / "jobs" / job.id
    assert list(folder.rglob("*tfevents*"))
    assert holds(ws.files, KEY) == []
    listing.remove(ws, LOCAL, job.id)
    assert not folder.exists()


def test_mlflow_holds_the_numbers_of_the_run(tiny_model, tmp_path, plain):
    import mlflow

    ctx = trained(tiny_model, tmp_path / "job", "mlflow")
    assert ctx.metrics("loss") == plain.metrics("loss")
    assert [text for text in ctx.said() if "could not" in text] == []
    store = f"sqlite:///{ctx.folder / FOLDER / 'mlflow' / 'mlflow.db'}"
    assert f"MLflow is written; open it with: mlflow ui --backend-store-uri {store}" in ctx.said()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    client = mlflow.MlflowClient(store)
    (experiment,) = [each for each in client.search_experiments() if each.name == "tuneloop"]
    assert experiment.artifact_location.startswith(ctx.folder.resolve().as_uri())
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("sft-0abc", "FINISHED")
    assert run.data.params["max_steps"] == "4"
    kept = [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(kept) == said_by_step(ctx, "loss")


def test_mlflow_server_that_is_not_there_costs_one_sentence(
    tiny_model, tmp_path, monkeypatch, capfd
):
    for name in ("USERNAME", "PASSWORD"):  # set and deleted: what the run sets goes with the test
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:password-1@127.0.0.1:9")
    ctx = trained(tiny_model, tmp_path / "job", "mlflow", max_steps=1)
    (said,) = [text for text in ctx.said() if "MLflow" in text]
    assert said.startswith("MLflow could not be written: ")
    assert "127.0.0.1" in said
    assert "password-1" not in "".join([said, *capfd.readouterr()])
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "password-1"


def test_wandb_writes_files_to_send_later(tiny_model, tmp_path, plain, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    ctx = trained(tiny_model, tmp_path / "job", "wandb")
    assert ctx.metrics("loss") == plain.metrics("loss")
    assert [text for text in ctx.said() if "could not" in text] == []
    (kept,) = (ctx.folder / FOLDER / "wandb").glob("wandb/offline-run-*/*.wandb")
    program = shutil.which("wandb", path=os.path.dirname(sys.executable))
    shown = subprocess.run(
        [program, "leet", "inspect", "--json", str(kept)], capture_output=True, text=True
    )
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    history = [each["history"]["item"] for each in records if each["type"] == "history"]
    losses = [
        (row["train/global_step"], row["train/loss"]) for row in history if "train/loss" in row
    ]
    assert losses == said_by_step(ctx, "loss")


def test_trackio_writes_to_the_folder_of_each_job(tiny_model, tmp_path, plain):
    for name in ("first", "second"):
        ctx = trained(tiny_model, tmp_path / name, "trackio")
        assert ctx.metrics("loss") == plain.metrics("loss")
        assert [text for text in ctx.said() if "could not" in text] == []
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs("tuneloop", "sft-0abc")
        losses = [
            (row["train/global_step"], row["train/loss"]) for row in rows if "train/loss" in row
        ]
        assert losses == said_by_step(ctx, "loss")
        assert list((ctx.folder / FOLDER / "trackio").glob("tuneloop*.db"))
