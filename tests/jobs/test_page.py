"""The Jobs page: which run is shown, what is read anew, what is drawn, and the buttons."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock

import gradio as gr
import pytest

from engine.core.actor import LOCAL
from engine.core.event import MetricEvent, StateEvent, StoredEvent
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.core.job_result import TrainingResult
from engine.core.training_estimate import TimeRange
from engine.services import job_outcomes
from engine.services.jobs import lifecycle, listing
from engine.services.training import estimate, run_files
from engine.stats.learning_curve import learning_curve
from engine.store.json_columns import to_json
from tests import helpers
from tests.ui import results
from ui.components import charts, event_cursor
from ui.components.event_cursor import Track
from ui.components.page import NavigationTarget
from ui.pages.jobs import curves, layout, refresh, settings, tab
from ui.pages.jobs.refresh import JobsView, ListFilter


@pytest.fixture
def world(ws, tmp_path):
    """A project with a base and a dataset: project id, base, data."""
    project = helpers.project(ws).id
    return project, helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)


def sft(ws, world, name, **more):
    project, base, data = world
    return results.submit(ws, project, "sft", name, model=base.id, dataset=data.id, **more)


def running(ws, world, name="Lower rate", **more):
    job = helpers.claimed(ws, sft(ws, world, name, **more).id)
    results.say(ws, job.id, *results.train_events())
    return job


def look(ws, project, view, asked=refresh.ANYTHING):
    """The view once this is drawn, and the values that were not drawn before."""
    found = refresh.read_parts(ws, project, view, asked)
    new = {name: each for name, each in found.values.items() if not view.shows(name, each)}
    drawn = refresh.REFRESHER.changed(found.view, found.values, found.draws)
    return drawn[0], new


def updates(ws, project, view, asked=refresh.ANYTHING):
    """The update of every part that `view` does not show yet."""
    return refresh.poll(ws, project, view, asked)[1:]


def test_project_without_runs_says_what_to_do(ws):
    _, new = look(ws, helpers.project(ws).id, JobsView())
    assert new == {"empty": True, "body": False}


def test_newest_running_job_is_shown_until_another_is_chosen(ws, world):
    first = running(ws, world, "First")
    second = sft(ws, world, "Second", seed=2)
    view, new = look(ws, world[0], JobsView())
    assert view.shown == first.id
    assert new["cards"].index("Second") < new["cards"].index("First")
    assert "1 before it" in new["cards"]
    view, _ = look(ws, world[0], replace(view, picked=second.id))
    assert view.shown == second.id


def test_jobs_page_reload_keeps_the_shown_job(ws, world):
    running(ws, world)
    view, before = look(ws, world[0], JobsView())
    _, after = look(ws, world[0], JobsView())
    assert before["top"].partition("tl-stats")[0] == after["top"].partition("tl-stats")[0]
    assert before["losses"][0] == after["losses"][0] == (view.shown, 6, 0, False)


def test_progress_best_loss_and_speed_are_in_the_head_of_a_training(ws, world):
    running(ws, world)
    _, new = look(ws, world[0], JobsView())
    for said in ("Step 4 of 8", "2.000", "400", "Supervised fine-tuning (SFT)", "faq@1"):
        assert said in new["top"]


def test_jobs_page_reads_and_draws_new_events_only(ws, world):
    job = running(ws, world)
    view, _ = look(ws, world[0], JobsView())
    view, new = look(ws, world[0], view)
    assert not {"losses", "settings", "log", "stop"} & new.keys()
    results.say(ws, job.id, ("metric", 5, {"loss": 0.5}))
    view, new = look(ws, world[0], view)
    assert new["losses"][0][:2] == (job.id, 7)
    assert len(view.tracks[job.id].metrics) == 7


def test_finished_run_is_read_once_and_then_left_alone(ws, world):
    job = running(ws, world)
    job_outcomes.end(ws, job.id, job.fence, State.FAILED, "It broke. Use a lower rate.")
    view, new = look(ws, world[0], JobsView())
    assert "It broke. Use a lower rate." in new["top"]
    assert (new["stop"], new["again"], new["next_step"]) == (False, True, "")
    results.say(ws, job.id, ("log", None, {"text": "never read"}))
    view, new = look(ws, world[0], view)
    assert new == {}
    view, *rest = refresh.poll(ws, world[0], view)
    assert rest == [gr.skip()] * len(layout.JobsParts._fields)
    assert refresh.poll(ws, world[0], view) == [gr.skip(), *rest]
    listing.rename(ws, LOCAL, job.id, "Another name")
    assert "Another name" in str(refresh.poll(ws, world[0], view))


def test_each_part_has_its_update(ws, world):
    running(ws, world)
    made = updates(ws, world[0], JobsView())
    assert len(made) == len(layout.JobsParts._fields)
    drawn = made[layout.JobsParts._fields.index("losses")]
    assert list(drawn.data[0].y) == [3.0, 1.5, 1.0, 0.75]


def test_stop_asks_the_run_to_stop(ws, world):
    job = running(ws, world)
    view, _ = look(ws, world[0], JobsView())
    assert tab.stop(ws, view).cancel_requested
    _, new = look(ws, world[0], view)
    assert new["stop"] is False
    assert "stopping" in new["cards"]
    assert lifecycle.get(ws, LOCAL, job.id).state is State.RUNNING


def test_starting_again_queues_the_same_settings(ws, world):
    job = running(ws, world, learning_rate=0.01)
    job_outcomes.end(ws, job.id, job.fence, State.CANCELLED)
    view, _ = look(ws, world[0], JobsView())
    new = tab.again(ws, world[0], view)
    assert new.id != job.id
    assert (new.name, new.recipe) == (job.name, job.recipe)


def test_changed_settings_are_listed_before_defaults(ws, world):
    _, base, data = world
    job = sft(ws, world, "One", learning_rate=0.01)
    html = settings.table(job, {base.id: "Little <base>", data.id: "faq@1"})
    order = ["Little &lt;base&gt;", "faq@1", "Learning rate", "changed", "Epochs"]
    assert [html.index(part) for part in order] == sorted(html.index(part) for part in order)
    assert html.count("changed") == 2  # the class and the word


def test_run_that_starts_again_begins_its_curve_anew():
    said = [
        MetricEvent(job_id="j", seq=1, at=0, step=1, data={"loss": 9.0}),
        StateEvent(job_id="j", seq=2, at=0, data={"state": "running"}),
        MetricEvent(job_id="j", seq=3, at=0, step=1, data={"loss": 1.0}),
    ]
    track = event_cursor.taken(Track(), results.stored(*said))
    assert [event.data["loss"] for event in track.metrics] == [1.0]


def test_best_checkpoint_is_never_the_start():
    said = [
        MetricEvent(job_id="j", seq=n, at=0, step=n, data={"eval_loss": loss})
        for n, loss in enumerate([1.0, 1.4, 1.2])
    ]
    assert event_cursor.best(event_cursor.taken(Track(), results.stored(*said))) == (2, 1.2)


def test_dpo_shows_margin_and_accuracy():
    data = {"rewards/margins": 0.5, "rewards/accuracies": 0.9}
    said = [MetricEvent(job_id="j", seq=1, at=0, step=1, data=data)]
    assert curves.has_preferences(said)
    drawn = curves.preferences(said, "j")
    assert [list(trace.y) for trace in drawn.data] == [[0.5], [], [0.9], []]


def test_kto_run_draws_no_empty_margin_chart():
    said = [MetricEvent(job_id="j", seq=1, at=0, step=1, data={"rewards/margins": 0.2})]
    drawn = curves.preferences(said, "j")
    assert {trace.yaxis for trace in drawn.data} == {"y"}
    assert drawn.layout.yaxis.domain == (0.0, 1.0)


def test_track_of_a_long_training_keeps_every_held_out_point_of_its_curve():
    said = [
        MetricEvent(
            job_id="j",
            seq=n,
            at=0,
            step=n,
            data={"eval_loss": 1.0} if n % 1000 == 7 else {"loss": 1.0},
        )
        for n in range(20_000)
    ]
    kept = event_cursor.taken(Track(), results.stored(*said)).metrics
    assert len(kept) < 1_700
    assert sum("eval_loss" in event.data for event in kept) == 20


def test_track_of_a_run_of_any_length_stays_small_and_knows_its_newest_and_lowest():
    track = Track()
    for piece in range(10):
        said = []
        for n in range(1 + 5_000 * piece, 1 + 5_000 * (piece + 1)):
            data = {"cpu_percent": float(n)} if n % 2 else {"loss": float(n)}
            if n == 31_337:
                data = {"eval_loss": 0.25}
            elif n % 10 == 3:
                data = {"eval_loss": 0.5 + n}
            said.append(MetricEvent(job_id="j", seq=n, at=0, step=n, data=data))
        track = event_cursor.taken(track, results.stored(*said))
    assert track.measured == 50_000
    for name, last in (("loss", 50_000), ("cpu_percent", 49_999), ("eval_loss", 49_993.5)):
        steps, values = charts.points(track.metrics, name)
        assert 700 < len(steps) < 1_600
        assert steps == sorted(set(steps))
        assert event_cursor.newest(track, name) == values[-1] == last
    assert steps[-1] == 49_993
    assert event_cursor.best(track) == (31_337, 0.25)
    assert 31_337 in steps


def test_of_a_long_run_only_events_that_are_kept_are_read(monkeypatch):
    read, pieces = [], 10
    read_event = StoredEvent.read
    monkeypatch.setattr(StoredEvent, "read", lambda self: read.append(1) or read_event(self))
    track = Track()
    for first in range(0, 5000 * pieces, 5000):
        track = event_cursor.taken(track, [chatter(n) for n in range(first, first + 5000)])
    assert track.measured == 40_000
    assert (track.progress["done"], track.logged[-1]) == (49_995, "Line 49999")
    kept = len(track.metrics) + event_cursor.KEPT_LINES + event_cursor.KEPT_MESSAGES
    assert len(read) < 5000 + pieces * kept < 50_000


def chatter(n):
    """The event with number n of a run: each tenth is a line, each tenth a progress."""
    kind, data = "metric", {"loss": 1.0, "tokens_per_s": 9.0}
    if n % 10 == 9:
        kind, data = "log", {"text": f"Line {n}"}
    elif n % 10 == 5:
        kind, data = "progress", {"done": n, "total": 50_000}
    return StoredEvent("j", n, 0.0, kind, n, to_json(data))


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"loss": 1.5, "rate": 1e-05}, {"loss": -2, "rate": 0}),
        ({"a": float("nan"), "b": float("-inf")}, {"a": 1, "b": 2}),
        ({'odd":1,"': 1.0}, {'odd":1,"': 2.0}),
        ({}, {}),
    ],
)
def test_measurements_of_equal_names_belong_together(data, names):
    one, other = (StoredEvent("j", 1, 0.0, "metric", 1, to_json(each)) for each in (data, names))
    assert one.names == other.names
    assert one.names != StoredEvent("j", 1, 0.0, "metric", 1, '{"loss":1}').names


@pytest.mark.parametrize("data", ['{"loss":"low"}', '{"loss":null}', '{"x":{"y":1}}'])
def test_event_that_holds_no_numbers_by_name_is_no_measurement(data):
    event = StoredEvent("j", 1, 0.0, "metric", 1, data)
    assert (event.names, event.measurement) == (None, None)
    assert event_cursor.taken(Track(), [event]).metrics == ()


def test_long_run_is_read_in_pieces_and_once_for_all_browsers(ws, world, monkeypatch):
    job = running(ws, world)
    monkeypatch.setattr(event_cursor, "READ_AT_ONCE", 4)
    asked = []
    read = lifecycle.stored_events

    def counted(ws, actor, job_id, after, most):
        found = read(ws, actor, job_id, after, most)
        asked.append(len(found))
        return found

    monkeypatch.setattr(lifecycle, "stored_events", counted)
    first = event_cursor.follow(ws, job, Track())
    assert len(asked) > 1
    assert max(asked) == 4
    assert first.measured == 6
    asked.clear()
    assert event_cursor.follow(ws, job, Track()) == first
    assert asked == [0]


def test_two_browsers_that_open_a_run_at_once_read_it_once(ws, world, monkeypatch):
    job = running(ws, world)
    waiting = Event()  # the second browser waits for the first, which has read nothing yet
    asked = []
    read = lifecycle.stored_events

    class Turn:
        def __init__(self):
            self.lock, self.came = Lock(), []

        def __enter__(self):
            self.came.append(1)
            if len(self.came) == 2:
                waiting.set()
            self.lock.acquire()

        def __exit__(self, *_):
            self.lock.release()

    def first_waits(ws, actor, job_id, after, most):
        asked.append(after)
        assert waiting.wait(60)
        return read(ws, actor, job_id, after, most)

    monkeypatch.setattr(event_cursor, "Lock", Turn)
    monkeypatch.setattr(lifecycle, "stored_events", first_waits)
    with ThreadPoolExecutor(2) as pool:
        tracks = list(pool.map(lambda _: event_cursor.follow(ws, job, Track()), range(2)))
    assert tracks[0].measured == tracks[1].measured == 6
    assert asked == [0, tracks[0].seq]


def test_names_and_lines_are_text_never_html(ws, world):
    job = running(ws, world, name="<img src=x>")
    results.say(ws, job.id, ("log", None, {"text": "<script>"}))
    _, new = look(ws, world[0], JobsView())
    shown = new["cards"] + new["top"] + new["log"]
    assert "<img" not in shown
    assert "<script>" not in shown


def shown(ws, world, asked=refresh.ANYTHING):
    return look(ws, world[0], JobsView(), asked)[1]


def ended(ws, job, state=State.DONE, **result):
    if state is State.DONE:
        job_outcomes.store(ws, job, Outcome(result=result))
    else:
        job_outcomes.end(ws, job.id, job.fence, state)
    return lifecycle.get(ws, LOCAL, job.id)


def test_list_holds_what_was_searched_for_and_the_run_stays_open(ws, world):
    first = running(ws, world, "First")
    listing.tag(ws, LOCAL, first.id, ["keep"])
    second = sft(ws, world, "Second", seed=2)
    new = shown(ws, world, ListFilter("second"))
    assert (second.id in new["cards"], first.id in new["cards"]) == (True, False)
    assert "First" in new["top"]
    assert first.id in shown(ws, world, ListFilter("", ("keep",)))["cards"]
    assert "No job matches" in shown(ws, world, ListFilter("nowhere"))["cards"]
    assert new["tag_filter"] == ["keep"]


@pytest.mark.parametrize("tags", [[], ["keep"]])
def test_tags_to_choose_from_are_offered_once_a_run_has_one(ws, world, tags):
    listing.tag(ws, LOCAL, running(ws, world, "First").id, tags)
    new = dict(
        zip(
            ("view", *layout.JobsParts._fields),
            refresh.poll(ws, world[0], JobsView()),
            strict=True,
        )
    )
    assert new["tag_filter"].visible is bool(tags)


def test_typed_text_stays_until_another_run_is_shown(ws, world):
    job = running(ws, world, "First")
    other = sft(ws, world, "Second", seed=2)
    view, new = look(ws, world[0], JobsView())
    assert new["name"] == (job.id, "First")
    results.say(ws, job.id, ("metric", 5, {"loss": 0.5}))
    view, new = look(ws, world[0], view)
    assert not {"name", "note", "tags"} & new.keys()
    _, new = look(ws, world[0], replace(view, picked=other.id))
    assert new["name"] == (other.id, "Second")


def test_saving_writes_name_tags_and_note_and_shows_them(ws, world):
    job = ended(ws, running(ws, world))
    view, _ = look(ws, world[0], JobsView())
    tab.save(ws, view, "Better <b>", "keep, paper", "Forgets hours")
    view, new = look(ws, world[0], view)
    assert lifecycle.get(ws, LOCAL, job.id).tags == ("keep", "paper")
    assert "Better &lt;b&gt;" in new["top"]
    assert "Forgets hours" in new["top"]
    assert "#paper" in new["cards"]


def test_deleted_run_leaves_the_page(ws, world):
    ended(ws, running(ws, world))
    view, new = look(ws, world[0], JobsView())
    assert new["delete"] is True
    tab.delete(ws, view)
    _, new = look(ws, world[0], view)
    assert (new["empty"], new["body"]) == (True, False)


def test_two_trainings_are_drawn_over_each_other_with_what_differs(ws, world):
    ids = []
    for name, rate in (("<i>Slow", 0.01), ("Fast", 0.02)):
        job = running(ws, world, name, learning_rate=rate)
        ids.append(ended(ws, job, best_held_out_loss=rate).id)
    asked = ListFilter(compared=(*ids, "gone"))
    view, new = look(ws, world[0], JobsView(), asked)
    overlay = updates(ws, world[0], JobsView(), asked)[layout.JobsParts._fields.index("overlay")]
    assert len(overlay.data) == 4
    assert len({trace.line.color for trace in overlay.data}) == 2
    assert all("<i>" not in trace.name for trace in overlay.data)
    table = new["compare_table"]
    assert "Learning rate" in table
    assert '<td data-head="&lt;i&gt;Slow">' in table  # on a phone the heads are not there
    assert "Seed" not in table
    assert "0.020" in table
    assert "<i>" not in table
    _, again = look(ws, world[0], view, asked)
    assert not {"overlay", "compare_table"} & again.keys()
    assert shown(ws, world, ListFilter(compared=tuple(ids[:1])))["overlay_box"] is False


@pytest.mark.parametrize(
    ("state", "keep", "resume"),
    [(State.RUNNING, True, False), (State.FAILED, False, True), (State.CANCELLED, False, True)],
)
def test_stop_and_keep_is_offered_while_running_and_resume_after_a_break(
    ws, world, state, keep, resume
):
    job = running(ws, world)
    if resume:  # as a training leaves it
        (ws.files / "jobs" / job.id / "checkpoints" / "ckpt-000000004").mkdir(parents=True)
    if state is not State.RUNNING:
        ended(ws, job, state)
    new = shown(ws, world)
    assert (new["keep"], new["resume"]) == (keep, resume)


def test_run_that_left_no_checkpoint_is_only_started_again(ws, world):
    ended(ws, running(ws, world), State.CANCELLED)
    new = shown(ws, world)
    assert (new["resume"], new["again"]) == (False, True)
    assert "continue" not in new["top"]


def test_sampled_answers_estimates_resources_and_overfitting_are_shown(ws, world):
    job = running(ws, world)
    expected = estimate.what_if(LOCAL, lifecycle.recipe_of(job), 1e6).model_copy(
        update={
            "seconds": TimeRange(low=60.0, likely=120.0, high=300.0),
            "memory_needed": 3 * 2**30,
        }
    )
    answer = {"step": 4, "prompt": "When?", "text": "<script>", "reference": "At nine"}
    results.say(
        ws,
        job.id,
        ("estimate", None, expected),
        ("sample", 4, answer),
        ("sample", 8, {**answer, "step": 8, "text": "At ten"}),
        ("metric", 5, {"cpu_percent": 180.0, "memory_mb": 2048.0, "learning_rate": 1e-4}),
    )
    new = shown(ws, world)
    for said in (
        "Estimated time",
        "2 min",
        "1 min to 5 min",
        "3.2 GB",
        "CPU 180 %",
        "2.1 GB",
    ):
        assert said in new["top"]
    assert new["samples"].index("At ten") < new["samples"].index("&lt;script&gt;")
    assert (new["rates_box"], new["margins_box"]) == (True, False)
    ended(ws, job, overfit=True, peak_memory_mb=512.0, held_out_rows=7, too_few_held_out=True)
    new = shown(ws, world)
    assert "Overfitting: the held-out loss rose" in new["top"]
    assert "7 rows were held out, fewer than 20" in new["top"]
    assert "peak memory 537 MB" in new["top"].casefold().replace("mb", "MB")
    assert "above the estimate" not in new["top"]


def test_peak_above_the_estimate_says_by_how_much_and_why(ws, world):
    job = running(ws, world)
    expected = estimate.what_if(LOCAL, lifecycle.recipe_of(job), 1e6)
    results.say(ws, job.id, ("estimate", None, expected))
    ended(ws, job, peak_memory_mb=1.25 * expected.memory_needed / 2**20)
    reason = "(25 % above the estimate; it also counts files mapped into memory)"
    assert reason in shown(ws, world)["top"]


def study(ws, world, kind, result, **more):
    project, base, data = world
    job = results.submit(ws, project, kind, kind, model=base.id, dataset=data.id, **more)
    ended(ws, helpers.claimed(ws, job.id), **result)
    _, new = look(ws, project, JobsView())
    return new, updates(ws, project, JobsView())[layout.JobsParts._fields.index("study")]


def test_finished_curve_draws_its_law_its_intervals_and_says_its_sentence(ws, world):
    losses = [[3.0, 3.1], [2.5, 2.4], [2.2, 2.2]]
    sizes = [10, 20, 40]
    found = learning_curve(dict(zip(sizes, losses, strict=True)))
    result = {
        "sizes": sizes,
        "losses": losses,
        "curve": found.model_dump(mode="json", exclude={"sentence"}),
        "sentence": found.sentence,
    }
    new, drawn = study(ws, world, "curve", result)
    assert found.sentence in new["report"]
    assert list(drawn.data[2].x) == sizes
    assert max(drawn.data[1].x) == pytest.approx(80)
    assert drawn.data[3].x == (80,)
    (gain,) = drawn.data[3].y
    assert gain == pytest.approx(found.points[-1].mean - found.gain)
    assert new["losses_box"] is False
    assert new["next_step"] == "Add data"


def test_finished_search_draws_every_trial_and_lists_the_best_first(ws, world):
    trials = [
        {"number": 1, "settings": {"learning_rate": 1e-4}, "state": "done", "loss": 2.0},
        {"number": 2, "settings": {"learning_rate": 1e-3}, "state": "done", "loss": 1.5},
        {"number": 3, "settings": {"learning_rate": 2e-3}, "state": "given up", "loss": 1.9},
        {"number": 4, "settings": {"learning_rate": 1e-2}, "state": "failed", "loss": None,
         "error": "It <broke>."},
    ]  # fmt: skip
    result = {"trials": trials, "best": trials[1], "sentence": "Best of 4 trials."}
    new, drawn = study(ws, world, "sweep", result)
    assert list(drawn.data[0].y) == [2.0, 1.5, 1.9]
    assert list(drawn.data[0].marker.size) == [9, 15, 9]
    assert drawn.layout.xaxis.type == "log"
    report = new["report"]
    assert "Best of 4 trials." in report
    assert report.index("1.500") < report.index("1.900") < report.index("2.000")
    assert "It &lt;broke&gt;." in report
    assert '<td data-head="Loss">1.500</td>' in report


def test_jobs_filter_from_the_browser_is_only_a_filter():
    assert tab.asked(None, "x", {"a": 1}) == ListFilter()
    assert tab.asked("a" * 900, ["t", 3], [["deep"]]).tags == ("t", "3")


def test_next_step_shows_what_the_run_was_about(ws, world):
    project, base, data = world
    tuned = results.adapter(ws, project, base, data)
    made = results.evaluated(ws, project, data, base, tuned, {0: ("a", 0.0, "b", 1.0)})
    done = {job.kind: job for job in lifecycle.list_all(ws, LOCAL, project)}
    assert refresh.aims_at(done["evaluate"]) == NavigationTarget(evaluation=made)
    assert refresh.aims_at(done["sft"]) == NavigationTarget()
    asked = results.submit(ws, project, "judge", evaluation=made, model=tuned.id)
    assert refresh.aims_at(asked) == NavigationTarget(evaluation=made)


def test_next_step_of_a_training_is_the_evaluation_that_it_queued_itself(ws, world):
    project, base, data = world
    training = running(ws, world)
    values = {"models": [base.id], "dataset": data.id}
    test = results.submit(ws, project, "evaluate", "Its test", **values)
    ended(ws, training, evaluation_job_id=test.id)
    seen, new = look(ws, project, JobsView(picked=training.id))
    assert new["next_step"] == "Show its evaluation (waiting)"
    job = lifecycle.get(ws, LOCAL, training.id)
    assert refresh.aims_at(job, refresh.own_test(job, [test])) == NavigationTarget(run=test.id)
    ended(ws, helpers.claimed(ws, test.id), evaluation_id="made")
    seen, new = look(ws, project, seen)
    assert new["next_step"] == "Open its evaluation"
    over = lifecycle.get(ws, LOCAL, test.id)
    assert refresh.aims_at(job, over) == NavigationTarget(evaluation="made")
    lost = over.model_copy(update={"state": State.FAILED})
    assert refresh.next_step(job, refresh.own_test(job, [lost]))[0] == "Evaluate it"


@pytest.mark.parametrize(
    ("kind", "words"),
    [("sft", "can resume later"), ("evaluate", "no scores"), ("export", "No files are made")],
)
def test_stop_asks_in_the_words_of_the_kind_of_job(ws, world, kind, words):
    project, base, data = world
    values = {
        "sft": {"model": base.id, "dataset": data.id},
        "evaluate": {"models": [base.id], "dataset": data.id},
        "export": {"model": base.id, "to": "gguf", "certify": False},
    }[kind]
    job = results.submit(ws, project, kind, "One", **values)
    assert words in shown(ws, world)["stop_words"]
    lifecycle.cancel(ws, LOCAL, job.id)
    assert ("no model was made" in shown(ws, world)["top"]) == (kind == "sft")


def test_run_page_offers_a_finished_training_to_other_programs(ws, world):
    project, _, _ = world
    job = running(ws, world)
    _, new = look(ws, project, JobsView(picked=job.id))
    assert (new["leave_box"], new["leave"]) == (False, "")
    assert job_outcomes.store(ws, job, Outcome(result=TrainingResult(steps=3))) is State.DONE
    _, new = look(ws, project, JobsView(picked=job.id))
    assert new["leave_box"] is True
    for name, title, _ in run_files.targets():
        assert f'href="downloads/runs/{job.id}/{name}"' in new["leave"]
        assert title in new["leave"]
