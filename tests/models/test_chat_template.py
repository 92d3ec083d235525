"""What is learned of a row, and what is not."""

from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Preference, Text
from engine.models.chat_template import Piece, Template

pytestmark = pytest.mark.train


def messages(*turns: str) -> tuple[Message, ...]:
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return tuple(Message(role=roles[turn[0]], content=turn[2:]) for turn in turns)


def with_template(model: Path, folder: Path, source: str) -> Template:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((model / name).read_bytes())
    (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
    return Template.load(folder)


def test_every_answer_is_learned_with_its_end_token_and_nothing_else(template):
    chat = Chat(messages=messages("s:Be kind.", "u:Hi", "a:Hello", "u:2+2?", "a:4"))
    assert template.pieces(chat, 512) == [
        Piece(
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n",
            False,
        ),
        Piece("Hello<|im_end|>", True),
        Piece("\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n", False),
        Piece("4<|im_end|>", True),
        Piece("\n", False),
    ]


def weighed(chat: Chat, *weights: int) -> Chat:
    """The chat with these weights of its answers, in their order."""
    left = list(weights)
    turns = [
        turn.model_copy(update={"weight": left.pop(0)}) if turn.role == "assistant" else turn
        for turn in chat.messages
    ]
    return chat.model_copy(update={"messages": tuple(turns)})


def test_answer_of_weight_zero_is_shown_and_carries_no_loss(template):
    chat = Chat(messages=messages("u:Hi", "a:Hello", "u:2+2?", "a:4"))
    whole, part = template.encode(chat, 512), template.encode(weighed(chat, 0, 1), 512)
    assert part.input_ids == whole.input_ids
    answer = whole.completion_mask.index(1)
    assert part.completion_mask[answer] == 0
    learned = [i for i, m in zip(part.input_ids, part.completion_mask, strict=True) if m]
    assert template.decode(learned, skip_special_tokens=False) == "4<|im_end|>"
    pieces = template.pieces(weighed(chat, 0, 1), 512)
    assert [piece.text for piece in pieces if piece.trained] == ["4<|im_end|>"]
    assert "Hello<|im_end|>" in pieces[0].text
    assert not pieces[0].trained
    use = template.row_use(weighed(chat, 0, 1))
    assert (use.answers, use.unlearned) == (1, 0)


def test_turns_after_the_last_answer_of_weight_one_change_nothing(template):
    chat = Chat(messages=messages("u:Hi", "a:Hello", "u:2+2?", "a:4"))
    short = Chat(messages=chat.messages[:2])
    assert weighed(chat, 1, 0).answer == "Hello"
    assert template.encode(weighed(chat, 1, 0), 512) == template.encode(short, 512)


def test_prompt_of_a_training_row_is_the_prompt_at_generation(template):
    chat = Chat(messages=messages("u:Hi", "a:\n Hello", "u:2+2?", "a:4"))
    prompt = template.prompt_ids(chat.prompt)
    encoded = template.encode(chat, 512)
    assert encoded.input_ids[: len(prompt)] == prompt
    assert template.decode(prompt, skip_special_tokens=False) == template.prompt_text(chat.prompt)
    assert encoded.completion_mask[len(prompt)] == 1


def test_text_is_learned_whole_and_ends_once(template):
    encoded = template.encode(Text(text="abc"), 512)
    assert encoded.completion_mask == [1, 1, 1, 1]
    assert encoded.input_ids[-1] == template.end_id
    assert template.encode(Text(text="abc<|im_end|>"), 512) == encoded


def test_long_row_keeps_its_start_and_is_dropped_once_no_answer_is_left(template):
    chat = Chat(messages=messages("u:Hi", "a:Hello"))
    whole = template.encode(chat, 512)
    start = whole.completion_mask.index(1)
    cut = template.encode(chat, start + 1)
    assert (cut.input_ids, cut.dropped, cut.truncated) == (
        whole.input_ids[: start + 1],
        False,
        True,
    )
    assert template.encode(chat, start).dropped
    assert not whole.truncated


def test_pair_has_one_prompt_and_two_answers_that_end(template):
    pair = Preference(prompt=messages("u:Hi"), chosen="Yes", rejected="No")
    encoded = template.encode_pair(pair, 512)
    assert encoded.prompt_ids == template.prompt_ids(pair.prompt)
    assert template.decode(encoded.chosen_ids, skip_special_tokens=False) == "Yes<|im_end|>"
    assert template.decode(encoded.rejected_ids, skip_special_tokens=False) == "No<|im_end|>"
    chosen, rejected = template.pair_pieces(pair, 512)
    assert (chosen[-1], rejected[-1]) == (Piece("Yes<|im_end|>", True), Piece("No<|im_end|>", True))


def test_pair_is_dropped_when_the_cut_leaves_no_difference(template):
    pair = Preference(prompt=messages("u:Hi"), chosen="Same start, A", rejected="Same start, B")
    prompt = len(template.prompt_ids(pair.prompt))
    assert not template.encode_pair(pair, prompt + 13).dropped
    assert template.encode_pair(pair, prompt + 12).dropped
    assert template.encode_pair(pair, prompt).dropped


def test_template_that_hides_earlier_answers_teaches_the_last_one_only(tiny_model, tmp_path):
    source = (
        "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}[past]"
        "{% else %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    template = with_template(tiny_model, tmp_path, source)
    chat = Chat(messages=messages("u:Hi", "a:Hello", "u:2+2?", "a:4"))
    assert template.pieces(chat, 512) == [
        Piece("<user>Hi<|im_end|>[past]<user>2+2?<|im_end|><assistant>", False),
        Piece("4<|im_end|>", True),
    ]


def test_template_without_an_end_token_gets_the_tokenizers_own(tiny_model, tmp_path):
    source = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    template = with_template(tiny_model, tmp_path, source)
    chat = Chat(messages=messages("u:Hi", "a:Hello"))
    assert template.pieces(chat, 512)[-1] == Piece("Hello<|im_end|>", True)


def test_generation_marks_of_other_trainers_are_rendered_through(tiny_model, tmp_path):
    source = (
        "{% for m in messages %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}"
        "{% endfor %}"
    )
    template = with_template(tiny_model, tmp_path, source)
    assert template.prompt_text(messages("u:Hi")) == "Hi<|im_end|>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 99999999 }}",
        "{% for i in range(100000000) %}{% endfor %}",
        "{% set ns = namespace(__class__=1) %}",
        "{{ raise_exception('roles must alternate') }}",
        "{{ dict.__init__.__globals__ }}",
    ],
)
def test_hostile_template_is_refused(tiny_model, tmp_path, source):
    template = with_template(tiny_model, tmp_path, source)
    with pytest.raises(UserError, match="chat template refuses"):
        template.prompt_text(messages("u:Hi"))


def test_broken_template_says_so_when_it_is_loaded(tiny_model, tmp_path):
    with pytest.raises(UserError, match="chat template is broken"):
        with_template(tiny_model, tmp_path, "{% for %}")


def test_folder_without_a_tokenizer_says_what_is_missing(tmp_path):
    with pytest.raises(UserError, match=r"has no tokenizer_config\.json"):
        Template.load(tmp_path)


def test_rendering_agrees_with_transformers(tiny_model, template):
    from transformers import AutoTokenizer

    turns = messages("s:Be kind.", "u:Grüße 🙂", "a:Hello", "u:2+2?")
    plain = [{"role": m.role, "content": m.content} for m in turns]
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = tokenizer.apply_chat_template(plain, add_generation_prompt=True, tokenize=False)
    assert template.prompt_text(turns) == text
    ids = tokenizer.apply_chat_template(plain, add_generation_prompt=True)["input_ids"]
    assert template.prompt_ids(turns) == ids


OWN_SYSTEM = """{% if messages[0]['role'] != 'system' %}<|im_start|>system
You are <b>Tiny</b>.<|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}
{{ m['content'] }}<|im_end|>
{% endfor %}"""
ALWAYS = "The date is known.\n" + OWN_SYSTEM.partition("{% endif %}")[2]
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + ALWAYS


@pytest.mark.parametrize(
    ("source", "added"),
    [(OWN_SYSTEM, "You are <b>Tiny</b>."), (ALWAYS, ""), (REFUSES, "")],
    ids=["own", "always", "refuses"],
)
def test_default_system_is_what_the_template_adds_by_itself(tiny_model, tmp_path, source, added):
    assert with_template(tiny_model, tmp_path, source).default_system() == added
