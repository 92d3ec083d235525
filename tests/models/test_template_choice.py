"""A base without a chat template gets one that a person chooses."""

import json

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, UserError
from engine.core.examples import Chat, Message
from engine.models import folder, offered_templates
from engine.models.chat_template import Template
from engine.services.models import registry, template_choice
from tests.models.template_shapes import write

TURNS = (
    Message(role="system", content="Be kind."),
    Message(role="user", content="Hi"),
    Message(role="assistant", content="Hello"),
    Message(role="user", content="2+2?"),
    Message(role="assistant", content="4"),
)
SHAPE_OF = {"plain": "llama 3", "chatml": "qwen 2.5", "mistral": "mistral", "gemma": "gemma"}


def bare(place, shape):
    """A folder without a template, whose tokenizer is of that shape."""
    write(place, shape)
    (place / "chat_template.jinja").unlink()
    return place


@pytest.fixture
def base(ws, tmp_path):
    return registry.add_base(ws, LOCAL, "bare", bare(tmp_path / "bare", "qwen 2.5"), "folder")


@pytest.mark.parametrize(("name", "shape"), SHAPE_OF.items())
def test_chosen_template_teaches_the_answers_and_their_end(tmp_path, name, shape):
    place = bare(tmp_path / "base", shape)
    files = folder.read(place)
    chosen = next(one for one in offered_templates.fitting(files.tokenizer) if one.name == name)
    made = Template.of_files(files._replace(template=chosen.source))
    pieces = made.pieces(Chat(messages=TURNS), 4096)
    end = made.learned_end()
    assert [p.text.strip() for p in pieces if p.trained] == [f"Hello{end}", f"4{end}"]
    ids = made.encode(Chat(messages=TURNS), 4096).input_ids
    text = made.decode(ids, skip_special_tokens=False)
    start = files.tokens.get("bos_token", "")
    assert not start or text.count(start) == (0 if name == "chatml" else 1)
    assert text.count("Be kind.") == 1


def test_templates_without_their_tokens_are_not_offered(ws, base):
    found = template_choice.choices(ws, LOCAL, base.id)
    assert [one.name for one in found] == ["plain", "chatml"]
    assert "has not been trained on this form" in found[0].meaning
    assert "end its answers with <|im_end|>" in found[1].meaning
    assert "<|im_start|>assistant\nWell.<|im_end|>" in found[1].example
    with pytest.raises(UserError, match="no tokens for the template 'gemma'"):
        template_choice.give(ws, LOCAL, base.id, "gemma")


def test_base_with_a_template_is_a_base_beside_the_one_without(ws, base):
    new = template_choice.give(ws, LOCAL, base.id, "chatml")
    assert (new.name, new.kind, new.base_id) == ("bare (ChatML)", "base", base.id)
    assert template_choice.give(ws, LOCAL, base.id, "chatml").id == new.id
    assert Template.load(registry.files(ws, new).base).prompt_text(TURNS[1:2])
    with pytest.raises(UserError, match="no chat template"):
        Template.load(registry.files(ws, base).base).prompt_text(TURNS[1:2])
    assert [one.id for one in template_choice.lacking(ws, LOCAL)] == [base.id]
    with pytest.raises(Conflict, match="template of its own"):
        template_choice.give(ws, LOCAL, new.id, "plain")
    with pytest.raises(Forbidden):
        template_choice.give(ws, Actor(name="t", role=Role.TRAINER), base.id, "plain")


def test_command_lists_templates_and_gives_one(tuneloop, tmp_path, home):
    from engine.workspace import open_workspace

    place = bare(tmp_path / "bare", "qwen 2.5")
    ws = open_workspace()
    registry.add_base(ws, LOCAL, "bare", place, "folder")
    ws.close()
    code, out, _ = tuneloop("models", "template", "bare", "--json")
    assert (code, [one["name"] for one in json.loads(out)["templates"]]) == (0, ["plain", "chatml"])
    code, out, _ = tuneloop("models", "template", "bare", "--use", "chatml", "--json")
    assert (code, json.loads(out)["info"]["chat_template"]) == (0, "chatml")
