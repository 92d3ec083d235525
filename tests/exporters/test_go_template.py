"""A chat template as Ollama writes it is the same text, or the export says that it can't be."""

import json
import shutil

import pytest

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.exporters.go_template import GoTemplate
from engine.models.chat_template import Template

MARK = "{% if add_generation_prompt %}"
TEMPLATES = {
    "chatml with a system prompt of its own": (
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind<|im_end|>\n' }}"
        "{% endif %}{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + "
        "'<|im_end|>\n' }}{% endfor %}" + MARK + "{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "chatml": (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + "
        "'<|im_end|>\n' }}{% endfor %}" + MARK + "{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "a start token, and another name for the assistant": (
        "{{ '<|pad|>' }}{% for m in messages %}{{ '<turn>' + "
        "('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] + "
        "'<|im_end|>\n' }}{% endfor %}" + MARK + "{{ '<turn>model\n' }}{% endif %}"
    ),
    "no opening before the answer": (
        "{{ '<s>' }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + "
        "m['content'] + ' [/INST]' }}{% elif m['role'] == 'system' %}{{ raise_exception('no') }}"
        "{% else %}{{ ' ' + m['content'] + '<|im_end|>' }}{% endif %}{% endfor %}"
    ),
    "braces in the text": (
        "{% for m in messages %}{{ '{{' + m['role'] + '}}' + m['content'] + '<|im_end|>' }}"
        "{% endfor %}" + MARK + "{{ '{{assistant}}' }}{% endif %}"
    ),
}
DROPS_EARLIER_ANSWERS = (
    "{% for m in messages %}{% if m['role'] == 'user' or loop.last %}{{ '<' + m['role'] + '>' + "
    "m['content'] + '<|im_end|>' }}{% endif %}{% endfor %}"
    + MARK
    + "{{ '<assistant>' }}{% endif %}"
)


def template(tiny_model, folder, text):
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(text)
    return Template.load(folder)


def said(role, content):
    return Message.model_validate({"role": role, "content": content})


def in_go(text, messages):
    """What Go's text/template makes of the few constructs that GoTemplate writes."""
    literal = '{{ "{{" }}'
    start, rest = text.split("{{ range .Messages }}")
    body, opening = rest.rsplit("{{ end }}{{ end }}", 1)
    cases = {}
    for number, part in enumerate(body.split("{{ if eq .Role ")[1].split("{{ else if eq .Role ")):
        role, inside = part.split(" }}", 1)
        before, after = inside.split("{{ .Content }}")
        cases[json.loads(role)] = (before, after)
        assert number < 3
    written = start
    for one in messages:
        before, after = cases[one.role]
        written += before + "\0" + one.content + "\0" + after
    written += opening
    return written.replace(literal, "{{").replace("\0", "")


@pytest.mark.parametrize("name", TEMPLATES)
def test_go_template_writes_the_same_text(name, tiny_model, tmp_path):
    own = template(tiny_model, tmp_path / "model", TEMPLATES[name])
    written = GoTemplate.of(own).text
    system = own.default_system()
    talks = [
        [said("user", "a"), said("assistant", "b {{ c }}"), said("user", "d\n\ne")],
        [said("user", "one")],
    ]
    if "{% elif" not in TEMPLATES[name]:
        talks.append([said("system", "rules"), said("user", "x")])
    for talk in talks:
        # Ollama puts the SYSTEM of the Modelfile before a conversation that has none
        given = talk if talk[0].role == "system" or not system else [said("system", system), *talk]
        assert in_go(written, given) == own.prompt_text(talk)


def test_go_template_refuses_a_template_that_drops_answers(tiny_model, tmp_path):
    own = template(tiny_model, tmp_path / "model", DROPS_EARLIER_ANSWERS)
    with pytest.raises(UserError, match="Ollama"):
        GoTemplate.of(own)
