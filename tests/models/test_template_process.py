"""Templates in a process of their own: the same text, and limits that hold."""

import os

import pytest

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.models import template_process
from engine.models.chat_template import Template
from engine.models.template_process import IsolatedRender
from engine.models.template_render import Render
from tests.tiny_model import TEMPLATE

TOKENS = {"eos_token": "<|im_end|>"}
HI = [Message(role="user", content="Hi \u2028 <b>")]


@pytest.fixture(autouse=True)
def ended():
    yield
    template_process._processes.end()


def refusal(source):
    with pytest.raises(UserError) as refused:
        IsolatedRender(source, TOKENS)(HI, True)
    return str(refused.value)


@pytest.mark.parametrize("open_answer", [True, False])
def test_isolated_template_renders_the_same_text(open_answer):
    wanted = Render(TEMPLATE, TOKENS)(HI, open_answer)
    isolated = IsolatedRender(TEMPLATE, TOKENS)
    assert [isolated(HI, open_answer) for _ in range(3)] == [wanted] * 3


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ '' }}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}"
        "{% endfor %}{{ ns.s }}",
        "{{ messages | tojson(indent=999999999) }}",
        "{{ strftime_now('%c'.ljust(2000000000)) }}",
    ],
    ids=["time", "doubling", "indent", "format"],
)
def test_isolated_template_is_ended_by_its_limits(source, monkeypatch):
    assert "chat template" in refusal(source)
    # the next template is not the worse for it
    assert IsolatedRender(TEMPLATE, TOKENS)(HI, False) == Render(TEMPLATE, TOKENS)(HI, False)


def test_isolated_template_that_is_broken_says_so():
    assert "is broken" in refusal("{% if %}")
    assert "refuses a conversation: no." in refusal("{{ raise_exception('no') }}")


def test_isolated_template_sees_no_secret_of_the_server(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret-token")
    IsolatedRender(TEMPLATE, TOKENS)(HI, False)
    (process,) = template_process._processes._known.values()
    with open(f"/proc/{process._running.pid}/environ", "rb") as file:
        assert b"secret-token" not in file.read()


def test_only_the_templates_used_last_keep_a_process():
    for n in range(template_process.PROCESSES + 2):
        assert IsolatedRender(f"{n}", TOKENS)(HI, False) == str(n)
    assert len(template_process._processes._known) == template_process.PROCESSES
    alive = [p._running.pid for p in template_process._processes._known.values()]
    template_process._processes.end()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in alive)


def test_broken_tokenizer_is_refused_in_a_sentence(tiny_model, tmp_path):
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((tiny_model / name).read_bytes())
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "BPE"}}')
    with pytest.raises(UserError, match=r"tokenizer\.json is broken"):
        Template.load(tmp_path)
