"""The refresher: what is drawn stays, what changed is drawn, and a job's event is read once."""

from dataclasses import dataclass

import gradio as gr
import pytest
from gradio.utils import deep_hash

from engine.core.event import ProgressEvent, StateEvent
from engine.services.jobs import lifecycle
from tests import helpers
from tests.ui import results
from ui.components import event_cursor, refresh
from ui.components.refresh import Drawn, Refresher
from ui.pages.evaluation.layout import EvaluationParts
from ui.pages.evaluation.refresh import EvaluationUpdates
from ui.pages.home.tab import HomeParts, HomeValues
from ui.pages.jobs.layout import JobsParts
from ui.pages.jobs.refresh import JobsValues
from ui.pages.loop.tab import LoopParts, LoopValues
from ui.pages.playground.tab import Parts as PlaygroundParts
from ui.pages.playground.tab import PlaygroundValues
from ui.pages.rating.refresh import RatingValues
from ui.pages.rating.tab import RatingParts

PARTS = ("title", "body", "log")
SKIP = gr.skip()


@dataclass(frozen=True)
class Chosen(Drawn):
    """A page's own view."""

    picked: str = ""


@pytest.fixture
def page():
    return Refresher[Chosen](PARTS, {"body": refresh.shown(gr.Column)})


def test_refresher_updates_only_parts_whose_value_changed(page):
    view, *updates = page.changed(Chosen(), {"title": "A", "body": True, "log": ""})
    assert updates[0] == "A"
    assert updates[1].visible is True
    view, *updates = page.changed(view, {"title": "B", "body": True, "log": ""})
    assert updates == ["B", SKIP, SKIP]


def test_refresher_leaves_parts_alone_that_no_value_names(page):
    view, *_ = page.changed(Chosen(), {"title": "A", "log": "x"})
    assert page.changed(view, {"log": "y"})[1:] == [SKIP, SKIP, "y"]
    assert page.changed(view, {"title": "A"})[0] is view


def test_refresher_keeps_the_fields_of_the_page(page):
    view, *_ = page.changed(Chosen(picked="one"), {"title": "A"})
    assert view.picked == "one"


def test_refresher_serves_two_sessions_that_see_different_things(page):
    first, *_ = page.changed(Chosen(), {"title": "Ada's project"})
    second, *updates = page.changed(Chosen(), {"title": "Bob's project"})
    assert updates[0] == "Bob's project"
    assert page.changed(first, {"title": "Ada's project"})[1] == SKIP
    assert page.changed(second, {"title": "Ada's project"})[1] == "Ada's project"


def test_refresher_never_changes_the_view_it_was_given(page):
    view, *_ = page.changed(Chosen(), {"title": "A"})
    before = dict(view.marks)
    page.changed(view, {"title": "B"})
    assert view.marks == before


def test_refresher_takes_another_update_for_one_call(page):
    _, title, *_ = page.changed(Chosen(), {"title": "a"}, {"title": str.upper})
    assert title == "A"


def test_refresher_refuses_an_update_for_a_part_that_is_not_there():
    with pytest.raises(ValueError, match="no such part: foot"):
        Refresher(PARTS, {"foot": str})


def test_unchanged_skips_everything_or_stores_the_view_alone(page):
    assert page.unchanged() == [SKIP] * 4
    view = Chosen(picked="one")
    assert page.unchanged(view) == [view, SKIP, SKIP, SKIP]


def test_drawn_keeps_no_text_of_the_page(page):
    view, *_ = page.changed(Chosen(), {"title": "x" * 100_000, "log": ["y" * 100_000]})
    assert len(repr(view)) < 1000
    assert view.shows("title", "x" * 100_000)
    assert not view.shows("title", "x")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_reading_asks_for_events_after_the_last_one_and_forgets_other_jobs(
    ws, tmp_path, monkeypatch
):
    project = helpers.project(ws)
    model = helpers.model(ws, tmp_path)
    jobs = [_job(ws, project.id, model.id, name) for name in "ab"]
    asked = []

    def read(ws, actor, job_id, after, most):
        asked.append((job_id, after))
        return stored_events(ws, actor, job_id, after, most)

    stored_events = lifecycle.stored_events
    monkeypatch.setattr(lifecycle, "stored_events", read)
    assert jobs[0].id != jobs[1].id
    view = refresh.reading(ws, Drawn(), jobs)
    results.say(ws, jobs[0].id, ("progress", None, {"done": 1, "total": 5}))
    again = refresh.reading(ws, view, jobs[:1])
    assert asked[2:] == [(jobs[0].id, view.track(jobs[0].id).seq)]
    assert again.track(jobs[0].id).progress["done"] == 1
    assert set(again.tracks) == {jobs[0].id}
    assert set(refresh.reading(ws, view, jobs[:1], kept=jobs).tracks) == {j.id for j in jobs}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_reading_a_job_without_news_keeps_the_same_view(ws, tmp_path):
    job = _job(ws, helpers.project(ws).id, helpers.model(ws, tmp_path).id, "a")
    view = refresh.reading(ws, Drawn(), [job])
    assert refresh.reading(ws, view, [job]) is view


def test_track_tells_the_time_left_at_the_pace_of_its_attempt():
    events = results.stored(_progress(1, 100.0, 10), _progress(2, 120.0, 20))
    track = event_cursor.taken(event_cursor.Track(), events[:1])
    assert track.eta_s is None
    track = event_cursor.taken(track, events[1:])
    assert track.eta_s == pytest.approx(60.0)  # 30 more at 0.5 a second


def test_track_counts_the_pace_of_a_new_attempt_anew():
    track = event_cursor.taken(
        event_cursor.Track(), results.stored(_progress(1, 0.0, 0), _progress(2, 1.0, 40))
    )
    state = StateEvent(job_id="j", seq=3, at=500.0, data={"state": "running"})
    track = event_cursor.taken(track, results.stored(state, _progress(4, 510.0, 40)))
    assert track.eta_s is None
    track = event_cursor.taken(track, results.stored(_progress(5, 520.0, 45)))
    assert track.eta_s == pytest.approx(10.0)


def _progress(seq, at, done):
    data = {"done": done, "total": 50, "label": "Writing"}
    return ProgressEvent(job_id="j", seq=seq, at=at, data=data)


def _job(ws, project_id, model_id, name):
    return results.submit(ws, project_id, "play", name, models=[model_id], prompt=name)


def test_view_has_a_hash_of_the_pages_own_fields_for_gradios_change_event(page):
    view, *_ = page.changed(Chosen(picked="one"), {"title": "A"})
    assert deep_hash(view) == deep_hash(Chosen(picked="one"))
    assert deep_hash(view) != deep_hash(Chosen(picked="two"))
    assert view != Chosen(picked="one")


@pytest.mark.parametrize(
    ("values", "parts", "remembered"),
    [
        (HomeValues, HomeParts, set()),
        (JobsValues, JobsParts, {"run"}),
        (LoopValues, LoopParts, set()),
        (RatingValues, RatingParts, {"waits", "action"}),
        (EvaluationUpdates, EvaluationParts, set()),
        (PlaygroundValues, PlaygroundParts, set()),
    ],
)
def test_values_of_a_page_name_its_parts_and_what_is_only_remembered(values, parts, remembered):
    assert set(values.__annotations__) - set(parts._fields) == remembered
