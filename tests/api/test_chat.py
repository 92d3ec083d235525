"""Chat by OpenAI's own client: the texts of the playground, whole and in pieces, many at once."""

import json
import queue
import shutil
import threading
from pathlib import Path

import httpx
import openai
import pytest

from engine.core.actor import LOCAL
from engine.core.examples import Message
from engine.models import transformers_generate
from engine.models.answer import Answerer
from engine.models.chat_template import Template
from engine.models.request_scheduler import TURN, RequestScheduler
from engine.models.sampling import Sampling
from engine.services.loop import champion
from engine.services.models import registry
from engine.services.people import accounts, api_keys
from tests.api.databases import EACH

pytestmark = pytest.mark.train
ASKED = [{"role": "user", "content": "Hello, who are you?"}]
LONG = {"max_tokens": 24, "temperature": 0}


def expected(ws, project, model, text="Hello, who are you?", **ways):
    """What the playground and an evaluation answer."""
    known = {one.name: one for one in registry.list_all(ws, LOCAL, project.id)}
    files = registry.files(ws, known[model])
    ways = {"max_new_tokens": 24, "temperature": 0.0, "seed": 0, **ways}
    (reply,) = Answerer(files.base).answer(files, [[Message(role="user", content=text)]], **ways)
    return reply


def test_answer_is_the_one_of_the_playground(client, workspace, project):
    for model in ("tiny", "bot 1", "bot 2", "tiny"):
        said = client.chat.completions.create(model=model, messages=ASKED, **LONG)
        right = expected(workspace, project, model)
        assert said.choices[0].message.content == right.text
        assert said.choices[0].finish_reason == ("stop" if right.finished else "length")
        assert said.usage.completion_tokens == right.tokens
        assert said.usage.prompt_tokens > 20
        assert said.model == model


def test_streamed_answer_is_the_same_text_in_pieces(client, workspace, project):
    pieces = client.chat.completions.create(
        model="bot 1", messages=ASKED, stream=True, stream_options={"include_usage": True}, **LONG
    )
    chunks = list(pieces)
    right = expected(workspace, project, "bot 1")
    text = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert text == right.text
    assert len(chunks) > 3
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == right.tokens


def test_drawn_answer_is_that_of_its_seed(client, workspace, project):
    ways = {"max_tokens": 24, "temperature": 1.3, "top_p": 0.95}
    first, again, other = (
        client.chat.completions.create(model="bot 1", messages=ASKED, seed=seed, **ways)
        for seed in (7, 7, 8)
    )
    right = expected(workspace, project, "bot 1", temperature=1.3, seed=7)
    assert first.choices[0].message.content == right.text
    assert again.choices[0].message.content == right.text
    assert other.choices[0].message.content != right.text


def test_several_answers_to_one_prompt_differ(client):
    said = client.chat.completions.create(
        model="bot 1", messages=ASKED, n=4, seed=1, max_tokens=16, temperature=1.5
    )
    assert [one.index for one in said.choices] == [0, 1, 2, 3]
    assert len({one.message.content for one in said.choices}) == 4
    assert said.usage.completion_tokens <= 64


def test_answer_ends_before_a_stop_text(client, workspace, project):
    right = expected(workspace, project, "bot 1").text
    stop = right[5:8]
    ways = {"model": "bot 1", "messages": ASKED, "stop": [stop, "never there"], **LONG}
    said = client.chat.completions.create(**ways)
    assert said.choices[0].message.content == right[: right.index(stop)].rstrip()
    assert said.choices[0].finish_reason == "stop"
    pieces = client.chat.completions.create(stream=True, **ways)
    text = "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)
    assert text == said.choices[0].message.content


def test_many_who_ask_different_models_at_once_get_what_they_get_alone(client, workspace, project):
    asked = [(("tiny", "bot 1", "bot 2")[n % 3], f"question {n} " * (1 + n % 4)) for n in range(18)]
    said: dict[int, str] = {}

    def ask(number):
        model, text = asked[number]
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], **LONG
        )
        said[number] = answer.choices[0].message.content

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, (model, text) in enumerate(asked):
        assert said[number] == expected(workspace, project, model, text).text


@EACH
def test_champion_follows_promotions(client, workspace, project):
    by_name = {one.name: one.id for one in registry.list_all(workspace, LOCAL, project.id)}
    name = "champion@Support"
    with pytest.raises(openai.NotFoundError, match="promoted"):
        client.chat.completions.create(model=name, messages=ASKED)
    for bot in ("bot 1", "bot 2"):
        champion.promote(workspace, LOCAL, project.id, by_name[bot])
        said = client.chat.completions.create(model=name, messages=ASKED, **LONG)
        assert said.choices[0].message.content == expected(workspace, project, bot).text
    champion.roll_back(workspace, LOCAL, project.id)
    said = client.chat.completions.create(model=name, messages=ASKED, **LONG)
    assert said.choices[0].message.content == expected(workspace, project, "bot 1").text
    assert {one.id for one in client.models.list()} == {"tiny", "bot 1", "bot 2", name}
    assert client.models.retrieve(name).owned_by == "Support"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": "nobody"}, "model_not_found", "model"),
        ({"model": "champion@Other"}, "model_not_found", "model"),
        ({"messages": []}, None, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, None, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, None,
         "messages.0.content"),
        ({"messages": [{"role": "user", "content": "long " * 900}]}, "context_length_exceeded",
         "messages"),
        ({"max_tokens": 5000}, "context_length_exceeded", "messages"),
        ({"max_tokens": 0}, None, "max_tokens"),
        ({"temperature": 3}, None, "temperature"),
        ({"tools": [{"type": "function"}]}, "unsupported_parameter", "tools"),
        ({"logprobs": True}, "unsupported_parameter", "logprobs"),
        ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format"),
        ({"reasoning_effort": "high"}, "unsupported_parameter", "reasoning_effort"),
        ({"extra_body": {"top_k": 3}}, "unknown_parameter", "top_k"),
        ({"stop": ["a"] * 5}, None, "stop"),
        ({"n": 99}, None, "n"),
        ({"seed": 10**4200}, None, "seed"),
        ({"seed": -(2**63) - 1}, None, "seed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_request_that_cannot_be_served_is_a_sentence(client, changes, code, param, stream):
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(
            **{"model": "tiny", "messages": ASKED, "stream": stream, **changes}
        )
    error = refused.value
    assert error.status_code in (400, 404)
    assert error.param == param
    if code:
        assert error.code == code
    assert "Traceback" not in error.message
    assert len(error.message) < 400


def test_temperature_too_small_to_divide_by_is_greedy(client):
    cold, greedy = (
        client.chat.completions.create(model="tiny", messages=ASKED, max_tokens=8, temperature=t)
        for t in (1e-320, 0)
    )
    assert cold.choices[0].message.content == greedy.choices[0].message.content


def test_bookkeeping_of_other_clients_changes_no_answer(client):
    kept = {"user": "me", "store": False, "metadata": {"a": "b"}, "service_tier": "auto"}
    plain = client.chat.completions.create(model="bot 1", messages=ASKED, **LONG)
    said = client.chat.completions.create(model="bot 1", messages=ASKED, **LONG, **kept)
    assert said.choices[0].message.content == plain.choices[0].message.content


@EACH
def test_nothing_answers_without_a_key(serve, workspace, project):
    url = serve(local=False)
    key, token = api_keys.make(workspace, LOCAL, project.id, "closing")
    for wrong in ("tl-wrong", "sk-other", token + "x"):
        with openai.OpenAI(base_url=f"{url}/v1", api_key=wrong, max_retries=0) as stranger:
            with pytest.raises(openai.AuthenticationError):
                stranger.models.list()
            with pytest.raises(openai.AuthenticationError):
                stranger.chat.completions.create(model="tiny", messages=ASKED)
    with openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0) as known:
        assert list(known.models.list())
        api_keys.close(workspace, LOCAL, key.id)
        with pytest.raises(openai.AuthenticationError):
            known.models.list()


@EACH
def test_this_machine_needs_no_key_until_somebody_has_an_account(serve, workspace, project):
    url = serve(local=True)
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as here:
        assert "tiny" in {one.id for one in here.models.list()}
        with pytest.raises(openai.AuthenticationError):  # a web page in this machine's browser
            here.models.list(extra_headers={"origin": "http://evil.example"})
        for host in ("evil.example", "evil{.example", "evil.example:", "", "["):  # DNS rebinding
            with pytest.raises(openai.AuthenticationError):
                here.models.list(extra_headers={"host": host})
        with pytest.raises(openai.NotFoundError):
            openai.OpenAI(
                base_url=f"{url}/v1", api_key="none", project="Unknown", max_retries=0
            ).models.list()
        accounts.add(workspace, LOCAL, "Ana", "trainer", [project.id])
        with pytest.raises(openai.AuthenticationError):
            here.models.list()


@EACH
def test_key_is_held_to_its_requests_a_minute(serve, workspace, project):
    _, token = api_keys.make(workspace, LOCAL, project.id, "slow", requests_per_minute=2)
    url = serve(local=False)
    with openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0) as slow:
        slow.models.list()
        slow.models.list()
        with pytest.raises(openai.RateLimitError) as refused:
            slow.models.list()
    assert int(refused.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("content", ['"a\\ud800"', '[{"type": "text", "text": "\\udfff"}]'])
def test_half_a_character_is_refused(client, content):
    sent = f'{{"model": "tiny", "messages": [{{"role": "user", "content": {content}}}]}}'
    headers = {"authorization": f"Bearer {client.api_key}", "content-type": "application/json"}
    answer = httpx.post(f"{client.base_url}chat/completions", content=sent, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "messages.0.content"


def test_conversation_that_cannot_fit_is_refused_before_it_is_cut(client, monkeypatch):
    cut = []
    monkeypatch.setattr(Template, "prompt_ids", lambda *_: cut.append(1))
    turns = [{"role": role, "content": "long " * 20} for role in ("user", "assistant") * 50]
    with pytest.raises(openai.BadRequestError, match="do not fit"):
        client.chat.completions.create(model="tiny", messages=[*turns, *ASKED])
    assert not cut


def test_base_that_goes_while_somebody_waits_harms_nobody_else(
    workspace, project, tiny_model, tmp_path
):
    known = {one.name: one for one in registry.list_all(workspace, LOCAL, project.id)}
    here = registry.files(workspace, known["tiny"])
    gone = here._replace(base=Path(shutil.copytree(tiny_model, tmp_path / "gone")))
    serving, turned, asked = RequestScheduler(), threading.Event(), threading.Event()
    said = {name: queue.Queue() for name in ("here", "gone", "after")}

    def holds_the_thread_up(part):
        turned.set()
        asked.wait(60)
        said["here"].put(part)

    def ask(files, hear):
        serving.ask(files, (Message(role="user", content="Hello"),), Sampling(4), (), hear)

    ask(here, holds_the_thread_up)
    assert turned.wait(60)
    ask(gone, said["gone"].put)
    shutil.rmtree(gone.base)
    asked.set()
    assert last(said["gone"]).problem is not None
    assert last(said["here"]).finish
    ask(here, said["after"].put)
    assert last(said["after"]).finish
    serving.close()


def test_base_that_nobody_waits_for_any_more_keeps_nobody_out(
    workspace, project, tiny_model, tmp_path
):
    known = {one.name: one for one in registry.list_all(workspace, LOCAL, project.id)}
    here = registry.files(workspace, known["tiny"])
    other = here._replace(base=Path(shutil.copytree(tiny_model, tmp_path / "other")))
    serving = RequestScheduler(most_bases=1)
    said, after, numbers = queue.Queue(), queue.Queue(), []

    def ask(files, hear, tokens=4):
        ways = Sampling(tokens, temperature=1.0, seed=1, top_p=1.0)
        return serving.ask(files, (Message(role="user", content="Hello"),), ways, (), hear)[0]

    def ask_the_other_and_leave(part):
        if not numbers:  # called on the thread: the other's turn comes when this one's is over
            numbers.append(ask(other, lambda _: None))
        if part.finish:
            serving.cancel(numbers[0])
        said.put(part)

    ask(here, ask_the_other_and_leave, tokens=4 * TURN)
    assert last(said).tokens > TURN
    ask(here, after.put)
    assert last(after).finish
    serving.close()


@pytest.mark.parametrize("steering", [{"no_repeat_ngram_size": 30}, {"num_beams": 2}])
def test_answer_by_generate_ends_when_whoever_asked_leaves(
    workspace, project, tiny_model, tmp_path, monkeypatch, steering
):
    """Both ways of `generate`: with a token at a time, and with beams."""
    known = {one.name: one for one in registry.list_all(workspace, LOCAL, project.id)}
    base = Path(shutil.copytree(tiny_model, tmp_path / "slow"))
    (base / "generation_config.json").write_text(json.dumps(steering))
    files = registry.files(workspace, known["tiny"])._replace(base=base)
    tokens, waits, goes_on = [], threading.Event(), threading.Event()
    serving, after = RequestScheduler(), queue.Queue()
    generate = transformers_generate.answers

    def held_up(*given):
        *others, given_up = given

        def hears():
            tokens.append(1)
            waits.set()
            goes_on.wait(60)
            return given_up()

        return generate(*others, hears)

    def ask(number, hear):
        ways = Sampling(number)
        return serving.ask(files, (Message(role="user", content="Hello"),), ways, (), hear)[0]

    monkeypatch.setattr(transformers_generate, "answers", held_up)
    left = ask(60, after.put)
    assert waits.wait(60)
    serving.cancel(left)
    goes_on.set()
    ask(3, after.put)
    found = after.get(timeout=60)
    assert (found.problem, found.tokens <= 3, len(tokens) <= 1 + 3) == (None, True, True)
    assert after.empty()
    serving.close()


def last(said):
    """The part that ends an answer."""
    while not ((part := said.get(timeout=60)).finish or part.problem):
        pass
    return part
