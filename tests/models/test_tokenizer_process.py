"""A tokenizer with expressions of its own: the same tokens, and limits that hold."""

import json
import time

import pytest
from tokenizers import Tokenizer

from engine.core.errors import UserError
from engine.core.examples import Chat, Message
from engine.models import folder_check, tokenizer_process
from engine.models.chat_template import Template
from engine.models.tokenizer_process import KNOWN, IsolatedTokenizer, needs_process

pytestmark = pytest.mark.train
PANICS = "(a+)+b"  # each start of a match is given up after ten million steps
SLOW = "(a|aa)+$b"  # a sixth of a second for each word of 27 letters
TEXTS = ["Hi there", "", " Déjà vu: 日本語 🙂\n\n so on", "a" * 500]


@pytest.fixture(autouse=True)
def ended():
    yield
    tokenizer_process._processes.end()


def split_by(model, expression):
    """The tokenizer.json of a model, which splits by an expression before anything else."""
    found = json.loads((model / "tokenizer.json").read_text())
    split = {
        "type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False,
    }  # fmt: skip
    found["pre_tokenizer"] = {
        "type": "Sequence", "pretokenizers": [split, found["pre_tokenizer"]],
    }  # fmt: skip
    return json.dumps(found)


def folder_of(model, folder, tokenizer):
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "tokenizer.json").write_text(tokenizer)
    return folder


def test_isolated_tokenizer_gives_the_same_tokens_and_texts(tiny_model):
    source = split_by(tiny_model, r"\d+|\s+")
    own, isolated = Tokenizer.from_str(source), IsolatedTokenizer(source)
    for text in TEXTS:
        for special in (True, False):
            ids = own.encode(text, add_special_tokens=special).ids
            assert isolated.encode(text, add_special_tokens=special).ids == ids
            assert isolated.decode(ids) == own.decode(ids)
    counted = isolated.encode_batch_fast(TEXTS, add_special_tokens=False)
    assert [len(each) for each in counted] == [
        len(each) for each in own.encode_batch_fast(TEXTS, add_special_tokens=False)
    ]
    assert isolated.token_to_id("<|im_end|>") == own.token_to_id("<|im_end|>")


@pytest.mark.parametrize(
    ("expression", "text"),
    [(PANICS, "a" * 2000), (SLOW, ("a" * 27 + "-") * 2000)],
    ids=["panics", "slow"],
)
def test_expression_that_goes_back_and_forth_is_ended_by_its_limits(
    tiny_model, tmp_path, expression, text
):
    folder = folder_of(tiny_model, tmp_path, split_by(tiny_model, expression))
    template = Template.load(folder, isolated=True)
    turns = Message(role="user", content=text), Message(role="assistant", content="b")
    spent = time.process_time()
    with pytest.raises(UserError, match="model's tokenizer"):
        template.encode(Chat(messages=turns), 10**6)
    assert time.process_time() - spent < 2  # of this process, which others wait for
    assert template.count(["Hi"])[0] > 0  # the next text is not the worse for it


def test_tokenizer_of_a_brought_model_is_tried_under_limits_before_it_is_loaded(
    tiny_model, tmp_path
):
    folder = folder_of(tiny_model, tmp_path, split_by(tiny_model, "(" * 5000))
    with pytest.raises(UserError, match=r"tokenizer\.json is broken"):
        folder_check.check(folder)


def test_usual_tokenizers_need_no_process(tiny_model):
    assert not needs_process((tiny_model / "tokenizer.json").read_text())
    assert not any(needs_process(split_by(tiny_model, one)) for one in KNOWN)
    for one in KNOWN:
        assert Tokenizer.from_str(split_by(tiny_model, one)).encode("I'll say 1234 …").ids
    assert needs_process(split_by(tiny_model, PANICS))
    replaced = json.loads((tiny_model / "tokenizer.json").read_text())
    replaced["decoder"] = {"type": "Replace", "pattern": {"Regex": PANICS}, "content": ""}
    assert needs_process(json.dumps(replaced))
    assert not needs_process("{")
