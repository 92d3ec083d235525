"""The Playground page: a question, answers as they are written, the questions before."""

import gradio as gr
import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict, UserError
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.services import job_outcomes, playground
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.rating import rounds
from tests import helpers
from tests.ui import results
from ui.pages.evaluation import start
from ui.pages.playground import saved_questions, tab
from ui.pages.playground.render import Talk

ANSWERS, HISTORY, PAST, GO, STOP, TIMER, KEEP = range(7)


@pytest.fixture
def world(ws, tmp_path):
    """A project and two models: project id, base, other."""
    return helpers.project(ws).id, helpers.model(ws, tmp_path), helpers.model(ws, tmp_path, "two")


def ask(ws, world, prompt="Where?", **more):
    project, base, other = world
    values = {"temperature": 0.0, "longest": 32.0, "seed": 1.0, "system": "", **more}
    job = tab.ask(ws, project, prompt, [base.id, other.id], **values)
    return helpers.claimed(ws, job.id, "play")


def wrote(ws, job, model, text, done=False):
    results.say(ws, job.id, ("sample", None, {"model": model.id, "text": text, "done": done}))


def answered(ws, job, *texts):
    answers = {
        model: {"text": text, "tokens": 2, "seconds": 0.1, "finished": True}
        for model, text in zip(job.recipe["models"], texts, strict=True)
    }
    job_outcomes.store(ws, job, Outcome(result={"answers": answers}))


def test_playground_question_is_queued_as_asked(ws, world):
    job = ask(ws, world, "  Where?\nNow. ", temperature=0.7, system="Be kind")
    assert job.recipe["prompt"] == "Where?\nNow."
    assert (job.recipe["temperature"], job.recipe["system"]) == (0.7, "Be kind")
    assert (job.lane, job.name) == ("play", "Where? Now.")


@pytest.mark.parametrize(
    ("project", "prompt", "models", "says"),
    [
        (None, "Hi", ["m"], "No project"),
        ("p", "  ", ["m"], "no question"),
        ("p", "Hi", [], "No model"),
    ],
)
def test_playground_form_says_what_is_missing(ws, project, prompt, models, says):
    with pytest.raises(UserError, match=says):
        tab.ask(ws, project, prompt, models, 0.0, 32, 0, "")


def test_reason_stands_first_where_a_question_is_too_long(ws, world):
    with pytest.raises(UserError) as refused:
        ask(ws, world, "word " * 30_000)
    assert "at most" in str(refused.value)
    assert len(str(refused.value)) < 300


def test_long_question_leaves_the_answers_in_sight(ws, world):
    job = ask(ws, world, "<script>word " * 1_200)
    *_, answers = tab.whole(ws, world[0], Talk(job=job.id))[: ANSWERS + 2]
    shown, whole = answers.split("<details>")
    assert len(shown) < 3_000
    assert "characters</summary>" in whole
    assert "<script>" not in answers


def test_answers_stream_in_and_only_news_is_drawn(ws, world):
    project, base, other = world
    job = ask(ws, world)
    talk, *parts = tab.whole(ws, project, Talk(job=job.id))
    assert parts[TIMER].active
    assert "waits" in parts[ANSWERS]
    wrote(ws, job, base, "In the")
    talk, *parts = tab.tick(ws, project, talk)
    assert "In the" in parts[ANSWERS]
    assert "tl-caret" in parts[ANSWERS]
    wrote(ws, job, base, "In the hall", done=True)
    wrote(ws, job, other, "Up")
    talk, *parts = tab.tick(ws, project, talk)
    assert talk.texts == {base.id: "In the hall", other.id: "Up"}
    assert talk.done == {base.id}
    talk, *parts = tab.tick(ws, project, talk)
    assert not isinstance(parts[ANSWERS], str)


def test_timer_rests_once_the_answers_are_whole(ws, world):
    job = ask(ws, world)
    answered(ws, job, "In the hall", "")
    _, *parts = tab.tick(ws, world[0], Talk(job=job.id))
    assert "In the hall" in parts[ANSWERS]
    assert "an empty answer" in parts[ANSWERS]
    assert "2 tokens" in parts[ANSWERS]
    assert parts[TIMER].active is False
    assert parts[GO].interactive is True


def test_reload_shows_the_newest_question_and_follows_it(ws, world):
    answered(ws, ask(ws, world, "First?"), "one", "two")
    job = ask(ws, world, "Second?")
    talk, *parts = tab.whole(ws, world[0], Talk())
    assert talk.job == job.id
    assert "Second?" in parts[ANSWERS]
    assert parts[TIMER].active


def test_earlier_question_can_be_read_again(ws, world):
    first = ask(ws, world, "First?")
    answered(ws, first, "one", "two")
    answered(ws, ask(ws, world, "Second?"), "three", "four")
    _, *parts = tab.whole(ws, world[0], Talk(job=first.id))
    assert "one" in parts[ANSWERS]
    assert "three" not in parts[ANSWERS]
    assert parts[HISTORY].index("Second?") < parts[HISTORY].index("First?")
    assert parts[PAST].visible


def test_failed_question_says_why(ws, world):
    job = ask(ws, world)
    job_outcomes.end(ws, job.id, job.fence, State.FAILED, "The files have gone. Train again.")
    _, *parts = tab.tick(ws, world[0], Talk(job=job.id))
    assert "The files have gone. Train again." in parts[ANSWERS]


def test_text_of_models_and_people_is_escaped(ws, world):
    job = ask(ws, world, "<script>alert(1)</script>")
    answered(ws, job, "<img src=x onerror=alert(1)>", "b")
    _, *parts = tab.whole(ws, world[0], Talk(job=job.id))
    shown = parts[ANSWERS] + parts[HISTORY]
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "&lt;img src=x" in shown


def test_empty_project_invites_a_question(ws, world):
    _, *parts = tab.whole(ws, world[0], Talk())
    assert "Nothing asked yet" in parts[ANSWERS]
    assert parts[KEEP].visible is False
    assert tab.choices(ws, world[0], []).value == [world[1].id]
    assert lifecycle.list_all(ws, LOCAL, world[0]) == []


def test_question_is_saved_once_and_can_be_asked_again(ws, world):
    project = world[0]
    job = ask(ws, world, "Where is the key?", system="Be kind")
    assert "1 question." in saved_questions.save(ws, project, job.id)
    with pytest.raises(Conflict, match="has this question already"):
        saved_questions.save(ws, project, job.id)
    assert saved_questions.labels(ws, project) == [("Where is the key?", "0")]
    assert saved_questions.filled(ws, project, "0") == ("Where is the key?", "Be kind")
    assert saved_questions.filled(ws, project, "7") == (gr.skip(), gr.skip())


def test_saved_questions_become_a_rating_round(ws, world):
    project, base, other = world
    answered(ws, ask(ws, world, "First?"), "one", "two")
    saved_questions.save(ws, project, tab.asked(ws, project)[0].id)
    job = ask(ws, world, "Second?")
    assert "2 questions wait" in saved_questions.rate(ws, project, job.id)
    [one] = rounds.list_all(ws, LOCAL, project)
    assert (one.arm_new, one.arm_base, one.purpose) == (other.id, base.id, "train_pairs")
    assert len(one.plan.rows) == 2
    asked = {each.prompt[-1].content for each in playground.saved(ws, LOCAL, project)}
    assert asked == {"First?", "Second?"}


def test_question_with_its_right_answer_joins_a_test_set(ws, world):
    project = world[0]
    job = ask(ws, world, "Where is the key?")
    with pytest.raises(UserError, match="no right answer"):
        saved_questions.add(ws, project, job.id, "  ", "")
    assert "1 question to test with" in saved_questions.add(ws, project, job.id, "In the hall", "")
    [made] = [d for d in datasets.list_all(ws, LOCAL, project) if d.name == playground.TEST]
    [row] = datasets.rows(ws, LOCAL, made.id, "held_out")
    assert row.example.references == ("In the hall",)
    assert made.id in [value for _, value in start.askable(ws, project)]
    assert playground.test_sets(ws, LOCAL, project) == [playground.TEST]


def test_uploaded_set_of_questions_grows_and_keeps_its_sides(ws, world, tmp_path):
    project = world[0]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f'{{"prompt": "question {n}?"}}\n' for n in range(8)))
    data = datasets.add(ws, LOCAL, project, path, path.name, held_out=0.25)
    job = ask(ws, world, "One more?")
    saved_questions.add(ws, project, job.id, "Yes", "mine")
    newest = datasets.list_all(ws, LOCAL, project)[0]
    assert (newest.label, newest.train_rows) == ("mine@2", data.train_rows)
    assert newest.held_out_rows == data.held_out_rows + 1
    helpers.dataset(ws, project, tmp_path)
    with pytest.raises(UserError, match="holds no questions"):
        saved_questions.add(ws, project, job.id, "Yes", "faq")
