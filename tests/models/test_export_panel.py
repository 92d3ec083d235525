"""Cards of exports: their format, their turn, and what can be done about each."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.export import Certificate, ExportedFile
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.core.job_result import ExportResult
from engine.services import exports, job_outcomes
from engine.services.jobs import lifecycle
from tests import helpers
from tests.ui import results
from ui.components.refresh import Drawn
from ui.pages.jobs import refresh as jobs_refresh
from ui.pages.jobs.refresh import JobsView
from ui.pages.models import export_panel


@pytest.fixture
def world(ws, tmp_path, monkeypatch):
    """A workspace whose worker is alive, a project, a model."""
    monkeypatch.setattr(lifecycle, "worker_alive", lambda *_: True)
    return ws, helpers.project(ws).id, helpers.model(ws, tmp_path, "Intent bot")


def queued(world, **values):
    ws, project, model = world
    asked = {"model": model.id, "to": "gguf", "certify": False, **values}
    return exports.start(ws, LOCAL, project, asked)


def cards(world):
    return export_panel.draw(world[0], world[1], Drawn())[1]


def on_jobs(world, job):
    return jobs_refresh.read_parts(world[0], world[1], JobsView(picked=job.id)).values


def test_export_is_named_with_its_format_and_its_bits(world):
    small, whole = queued(world, quantisation="Q4_K_M"), queued(world, to="adapter")
    assert small.name == "Intent bot as GGUF Q4_K_M"
    assert whole.name == "Intent bot as Adapter (PEFT)"
    assert "GGUF Q4_K_M" in cards(world)
    assert exports.format_name({"to": "merged"}) == "Merged model (safetensors) float32"
    assert exports.format_name({"to": "gone"}) == "gone"


def test_export_of_an_older_name_shows_its_format_on_jobs(world):
    ws, project, model = world
    values = {"model": model.id, "to": "gguf", "quantisation": "Q8_0", "certify": False}
    job = results.submit(ws, project, "export", "Export of Intent bot", **values)
    values = on_jobs(world, job)
    assert "Export · GGUF Q8_0" in values["top"]
    assert "Export · GGUF Q8_0" in values["cards"]


def test_export_card_says_how_many_are_before_it(world):
    queued(world, quantisation="F32")
    queued(world, quantisation="Q8_0")
    queued(world)
    assert "2 before it" in cards(world).lower()
    assert "1 before it" in cards(world).lower()
    assert "next to start" in cards(world).lower()


def test_waiting_export_is_stopped_from_its_card_neutrally_and_tried_again(world):
    ws = world[0]
    job = queued(world)
    assert f'data-act="stop" data-job="{job.id}"' in cards(world)
    export_panel.act_on(ws, "stop", job.id)
    assert lifecycle.get(ws, LOCAL, job.id).state is State.CANCELLED
    stopped = cards(world)
    assert "tl-notice tl-neutral" in stopped
    assert "tl-notice tl-bad" not in stopped
    assert 'data-act="stop"' not in stopped
    export_panel.act_on(ws, "again", job.id)
    newest, old = exports.list_all(ws, LOCAL, world[1])
    assert (newest.recipe, newest.name, newest.state) == (old.recipe, old.name, State.QUEUED)
    export_panel.act_on(ws, "remove", job.id)
    assert [one.id for one in exports.list_all(ws, LOCAL, world[1])] == [newest.id]


def test_running_export_that_is_to_stop_says_so_and_has_no_stop(world):
    job = helpers.claimed(world[0], queued(world).id)
    export_panel.act_on(world[0], "stop", job.id)
    assert "Stops after its current step" in cards(world)
    assert 'data-act="stop"' not in cards(world)


def test_export_panel_takes_only_the_acts_of_its_buttons(world):
    with pytest.raises(UserError):
        export_panel.act_on(world[0], "explode", queued(world).id)


def test_finished_export_has_its_certificate_and_download_on_jobs_as_on_models(world):
    job = helpers.claimed(world[0], queued(world).id)
    proof = Certificate(runtime="llama.cpp", n=5, same=5)
    made = ExportResult(
        sentence=proof.sentence,
        to="gguf",
        files=(ExportedFile(name="a", bytes=1, sha256=""),),
        certificate=proof,
    )
    job_outcomes.store(world[0], job, Outcome(result=made))
    values = on_jobs(world, job)
    for page in (values["report"], cards(world)):
        assert "tl-notice tl-good" in page
        assert page.count("the same text on 5 of 5 prompts") == 1
        assert f"downloads/exports/{job.id}" in page
    assert "same text on 5 of 5 prompts" in values["cards"]


def test_job_shows_the_same_labelled_time_on_models_and_jobs(world):
    job = queued(world)
    for page in (cards(world), on_jobs(world, job)["cards"]):
        assert "Queued today" in page
    helpers.claimed(world[0], job.id)
    for page in (cards(world), on_jobs(world, job)["cards"]):
        assert "Started today" in page


def test_running_export_says_on_both_pages_what_it_does(world):
    job = helpers.claimed(world[0], queued(world).id)
    results.say(world[0], job.id, ("log", None, {"text": "Writing the GGUF file."}))
    for page in (cards(world), on_jobs(world, job)["top"]):
        assert "Writing the GGUF file." in page
    far = {"done": 95, "total": 100, "label": "answers"}
    results.say(world[0], job.id, ("progress", None, far))
    for page in (cards(world), on_jobs(world, job)["top"]):
        assert "Comparing answers" in page
