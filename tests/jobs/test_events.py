"""Events of a job: each kind has a type of its own, and nothing that was stored is lost."""

import json
import time

import pytest

from engine.core.actor import LOCAL
from engine.core.event import EVENTS, OtherEvent, SampleEvent, TrialEvent, read_event
from engine.services.jobs import lifecycle
from engine.store import events
from engine.store.connect import reading, writing
from tests import helpers
from tests.ui import results

DATA = {
    "state": {"state": "failed", "error": "The disk is full."},
    "progress": {"done": 3, "total": 8, "label": "Step 3 of 8", "eta_s": 1.5},
    "metric": {"loss": 0.25, "epoch": 1},
    "log": {"text": "The model is being loaded."},
    "sample": {"step": 4, "prompt": "Q", "text": "A", "reference": "B"},
    "trial": {
        "number": 1, "settings": {"lora.r": 8}, "state": "done", "loss": 1.5, "seconds": 2.0,
        "error": None,
    },
}  # fmt: skip


def row(kind, data):
    return {"job_id": "j", "seq": 1, "at": 5.0, "kind": kind, "step": None, "data": data}


@pytest.mark.parametrize("kind", DATA)
def test_event_of_a_known_kind_has_its_type_and_prints_what_was_stored(kind):
    event = read_event(row(kind, DATA[kind]))
    assert type(event) is EVENTS[kind]
    assert json.loads(event.model_dump_json()) == row(kind, DATA[kind])


def test_event_counts_stay_whole_numbers():
    printed = read_event(row("progress", DATA["progress"])).model_dump_json()
    assert '"done":3,' in printed


def test_event_keeps_data_that_its_kind_does_not_know():
    event = read_event(row("log", {"text": "Hello", "colour": "red"}))
    assert event.model_dump()["data"] == {"text": "Hello", "colour": "red"}


@pytest.mark.parametrize(
    ("kind", "data"),
    [("picture", {"file": "a.png", "size": [2, 3]}), ("log", {"words": 1}), ("metric", {"a": "b"})],
)
def test_event_of_an_unknown_kind_or_shape_is_kept_as_stored(kind, data):
    event = read_event(row(kind, data))
    assert isinstance(event, OtherEvent)
    assert event.model_dump() == row(kind, data)


def test_sample_event_of_the_playground_is_told_from_one_of_a_training():
    written = read_event(row("sample", {"model": "m", "text": "A", "done": False}))
    assert isinstance(written, SampleEvent)
    assert "model" in written.data
    trained = read_event(row("sample", DATA["sample"]))
    assert isinstance(trained, SampleEvent)
    assert "model" not in trained.data


def test_events_of_a_job_come_back_typed_from_the_database(ws, tmp_path):
    project, model = helpers.project(ws), helpers.model(ws, tmp_path)
    job = results.submit(ws, project.id, "play", "events", models=[model.id], prompt="Hello")
    with writing(ws.db) as conn:
        rows = [(time.time(), kind, None, data) for kind, data in DATA.items()]
        events.add(conn, job.id, rows)
    seen = lifecycle.watch(ws, LOCAL, job.id)[-len(DATA) :]
    assert [type(event) for event in seen] == [EVENTS[kind] for kind in DATA]
    with reading(ws.db) as conn:
        [trial] = events.newest(conn, job.id, "trial", 1)
    assert isinstance(trial, TrialEvent)
    assert trial.data.settings == {"lora.r": 8}
