"""Feedback on answers of the API: kept apart from every verdict, of use for training and rating."""

import httpx
import openai
import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict, UserError
from engine.core.examples import Message
from engine.services import feedback
from engine.services.data import datasets
from engine.services.jobs import lifecycle, listing
from engine.services.loop import champion
from engine.services.models import registry
from engine.services.people import api_keys
from engine.services.rating import rounds
from engine.store import completions
from engine.store.connect import reading
from tests.api.databases import EACH
from tests.api.test_fine_tuning import CHATS, jsonl, trained

pytestmark = pytest.mark.train


def ask(client, text="Hello?", model="bot 1", **ways):
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], max_tokens=8, temperature=0,
        **ways,
    )  # fmt: skip


def say(client, **said):
    return client.post("/feedback", body=said, cast_to=httpx.Response).json()


@EACH
def test_thumbs_are_counted_by_model_with_an_interval(client, workspace, project):
    for number, up in enumerate([True, True, False, True]):
        said = ask(client, f"question {number}", model=("bot 1", "bot 2")[number % 2])
        assert say(client, completion_id=said.id, thumb="up" if up else "down")["kept"]
    say(client, completion_id=said.id, thumb="down")  # what is said last counts
    report = feedback.report(workspace, LOCAL, project.id)
    counts = {one.name: (one.up, one.down) for one in report.models}
    assert counts == {"bot 1": (1, 1), "bot 2": (1, 1)}
    assert all(one.low < 0.5 < one.high for one in report.models)
    assert "not blind" in report.sentence
    assert not rounds.list_all(workspace, LOCAL, project.id)


@EACH
def test_feedback_becomes_rows_to_learn_from(client, workspace, project):
    first, second = ask(client), ask(client, model="bot 2")
    say(client, completion_id=first.id, rejected=[second.id])
    say(client, completion_id=second.id, correction="A better answer.")
    say(client, completion_id=first.id, thumb="up")
    pairs = feedback.to_dataset(workspace, LOCAL, project.id, "pairs", held_out=0)
    rows = [row.example for row in datasets.each_row(workspace, pairs)]
    texts = [one.choices[0].message.content for one in (first, second)]
    assert [(row.chosen, row.rejected) for row in rows] == [
        (texts[0], texts[1]),
        ("A better answer.", texts[1]),
    ]
    assert pairs.origin["blind"] == "no: traffic"
    thumbs = feedback.to_dataset(workspace, LOCAL, project.id, "thumbs")
    (row,) = [row.example for row in datasets.each_row(workspace, thumbs)]
    assert (row.completion, row.label) == (texts[0], True)
    prompts = feedback.to_dataset(workspace, LOCAL, project.id, "prompts", held_out=0)
    assert (prompts.kind, prompts.rows) == ("prompts", 1)


@EACH
def test_streamed_answer_is_kept_too(client):
    pieces = list(ask(client, stream=True))
    assert pieces[-1].model_extra["vote_url"].endswith(f"/vote/{pieces[0].id}")
    assert say(client, completion_id=pieces[0].id, thumb="up")["kept"]


@EACH
def test_key_that_keeps_no_texts_keeps_nothing(serve, workspace, project):
    _, token = api_keys.make(workspace, LOCAL, project.id, "silent")
    with openai.OpenAI(base_url=f"{serve(local=False)}/v1", api_key=token, max_retries=0) as silent:
        said = ask(silent)
        assert "vote_url" not in (said.model_extra or {})
        with pytest.raises(openai.NotFoundError):
            say(silent, completion_id=said.id, thumb="up")
    with pytest.raises(UserError, match="No feedback"):
        feedback.to_dataset(workspace, LOCAL, project.id, "prompts")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"thumb": "sideways"},
        {"correction": " "},
        {"thumb": "up", "correction": "x"},
        {"rejected": ["chatcmpl-none"]},
        {"correction": "x" * 20_001},
    ],
    ids=["nothing", "no thumb", "empty", "two things", "unknown answer", "too long"],
)
def test_feedback_that_says_nothing_is_refused(client, said):
    known = ask(client)
    with pytest.raises(openai.APIStatusError) as refused:
        say(client, completion_id=known.id, **said)
    assert refused.value.status_code in (400, 404)


@EACH
def test_choice_among_answers_to_different_prompts_is_refused(client):
    first, second = ask(client, "one?"), ask(client, "two?")
    with pytest.raises(openai.ConflictError):
        say(client, completion_id=first.id, rejected=[second.id])


@EACH
def test_arena_answers_with_either_and_names_neither(client, workspace, project, monkeypatch):
    by_name = {one.name: one.id for one in registry.list_all(workspace, LOCAL, project.id)}
    with pytest.raises(openai.NotFoundError, match="champion"):
        ask(client, model="arena@Support")
    champion.promote(workspace, LOCAL, project.id, by_name["bot 1"])
    known = {ask(client, model=bot).choices[0].message.content for bot in ("bot 1", "bot 2")}
    for first in (0, 1):
        monkeypatch.setattr("secrets.randbelow", lambda _, first=first: first)
        said = ask(client, model="arena@Support")
        assert said.model == "arena@Support"
        assert said.choices[0].message.content in known
        assert not any(
            secret in said.model_dump_json() for secret in ("bot 1", "bot 2", *by_name.values())
        )
        page = httpx.get(said.model_extra["vote_url"])
        assert page.status_code == 200
        assert "bot 1" not in page.text
        assert "bot 2" not in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        voted = httpx.post(f"{page.url}/up")
        assert voted.status_code == 200
    report = feedback.report(workspace, LOCAL, project.id)
    assert {(one.name, one.up) for one in report.models} == {("bot 1", 1), ("bot 2", 1)}


def test_refusal_of_an_arena_names_neither_model(client, workspace, project, monkeypatch):
    by_name = {one.name: one.id for one in registry.list_all(workspace, LOCAL, project.id)}
    champion.promote(workspace, LOCAL, project.id, by_name["bot 1"])
    for first in (0, 1):
        monkeypatch.setattr("secrets.randbelow", lambda _, first=first: first)
        with pytest.raises(openai.BadRequestError) as refused:
            ask(client, "long " * 900, model="arena@Support")
        assert refused.value.code == "context_length_exceeded"
        assert "arena@Support" in refused.value.message
        assert not any(secret in refused.value.message for secret in ("bot", *by_name.values()))


def test_arena_is_fair(workspace, project):
    by_name = {one.name: one.id for one in registry.list_all(workspace, LOCAL, project.id)}
    champion.promote(workspace, LOCAL, project.id, by_name["bot 1"])
    chosen = [
        feedback.choose(workspace, LOCAL, project.id, "arena@Support", lambda: None).model.name
        for _ in range(400)
    ]
    # a fair coin is outside of 130 to 270 once in 10^12
    assert 130 < chosen.count("bot 1") < 270


def test_page_of_an_answer_shows_hostile_text_as_text(client, workspace, project):
    text = "<script>alert(1)</script>"
    said = ask(client, text)
    root = str(client.base_url).removesuffix("/v1/")
    page = httpx.get(said.model_extra["vote_url"])
    assert text not in page.text
    assert "&lt;script&gt;" in page.text
    assert httpx.get(f"{root}/vote/chatcmpl-none").status_code == 404


@EACH
def test_run_whose_answers_somebody_judged_is_kept(client, workspace, project):
    """An answer alone goes with its model; one with feedback holds it."""
    file = client.files.create(file=jsonl(CHATS), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    trained(workspace, job.id)
    model = client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model
    said = ask(client, model=model)
    assert say(client, completion_id=said.id, thumb="up")
    with pytest.raises(Conflict, match="feedback"):
        listing.remove(workspace, LOCAL, job.id)


@EACH
def test_run_whose_answers_nobody_judged_goes_with_them(client, workspace, project):
    file = client.files.create(file=jsonl(CHATS), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    trained(workspace, job.id)
    ask(client, model=client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model)
    for queued in lifecycle.list_all(workspace, LOCAL, project.id, ("evaluate",)):
        lifecycle.cancel(workspace, LOCAL, queued.id)
    listing.remove(workspace, LOCAL, job.id)
    assert not feedback.report(workspace, LOCAL, project.id).models


@EACH
def test_page_of_an_answer_takes_a_limited_number_of_votes(client, workspace, monkeypatch):
    monkeypatch.setattr(feedback, "MOST_FEEDBACK", 2)
    said = ask(client)
    for _ in range(2):
        feedback.vote(workspace, said.id, up=True)
    with pytest.raises(Conflict):
        feedback.vote(workspace, said.id, up=True)


def keep(ws, project, number, text="answer"):
    model = registry.list_all(ws, LOCAL, project.id)[0]
    return feedback.keep(
        ws, LOCAL, project.id, feedback.ArenaChoice(model), completion_id=f"chatcmpl-{number:04}",
        key_id=None, captures=True, prompt=[Message(role="user", content=f"q {number}")], text=text,
    )  # fmt: skip


def kept(ws, project):
    with reading(ws.db) as conn:
        return [int(one.id[-4:]) for one in completions.list_all(conn, project.id)]


@EACH
def test_oldest_answers_without_feedback_make_room_for_new_ones(workspace, project, monkeypatch):
    monkeypatch.setattr(feedback, "MOST_KEPT", 3)
    for number in range(3):
        assert keep(workspace, project, number)
    feedback.thumb(workspace, LOCAL, project.id, "chatcmpl-0000", True)
    for number in (3, 4):
        assert keep(workspace, project, number)
    assert kept(workspace, project) == [0, 3, 4]
    for number in (3, 4):
        feedback.thumb(workspace, LOCAL, project.id, f"chatcmpl-{number:04}", False)
    assert keep(workspace, project, 5) == ""
    assert kept(workspace, project) == [0, 3, 4]
    assert feedback.report(workspace, LOCAL, project.id).models[0].answers == 3


@EACH
def test_bytes_of_kept_answers_are_bounded_whatever_their_number(workspace, project, monkeypatch):
    monkeypatch.setattr(feedback, "MOST_KEPT_BYTES", 1000)
    for number in range(9):
        assert keep(workspace, project, number, "ä" * 100)  # 200 bytes and the prompt
    with reading(workspace.db) as conn:
        rows, taken = completions.total(conn, project.id)
    assert kept(workspace, project) == [5, 6, 7, 8]
    assert rows == 4
    assert 800 < taken <= 1000
    assert keep(workspace, project, 9, "x" * 1001) == ""
    assert kept(workspace, project) == [5, 6, 7, 8]
