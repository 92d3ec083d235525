"""Answers end where the model's makers end them, whatever the tokenizer's own end token is.

The templates have the shapes of well-known families, written for the tiny tokenizer of bytes.
"""

import json

import pytest

from engine.core.examples import Chat, Message
from engine.core.job_context import ModelFiles
from engine.core.model import Model
from engine.models import batched_decoding
from engine.models.answer import Answerer
from engine.models.chat_template import Template
from tests import tiny_model as random_llama

pytestmark = pytest.mark.train

OPEN = "{% if add_generation_prompt %}"
SHAPES = {
    # family: (tokenizer's end, special tokens, ends in generation_config, template, end of a turn)
    "gemma": (
        "<eos>",
        ["<bos>", "<start_of_turn>", "<end_of_turn>"],
        ["<eos>", "<end_of_turn>"],
        "{{ '<bos>' }}{% for m in messages %}{{ '<start_of_turn>' + "
        "('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] + "
        "'<end_of_turn>\n' }}{% endfor %}" + OPEN + "{{ '<start_of_turn>model\n' }}{% endif %}",
        "<end_of_turn>",
    ),
    "gemma, no generation_config": (
        "<eos>",
        ["<bos>", "<start_of_turn>", "<end_of_turn>"],
        [],
        "{{ '<bos>' }}{% for m in messages %}{{ '<start_of_turn>' + "
        "('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] + "
        "'<end_of_turn>\n' }}{% endfor %}" + OPEN + "{{ '<start_of_turn>model\n' }}{% endif %}",
        "<end_of_turn>",
    ),
    "phi-3": (
        "<|endoftext|>",
        ["<|user|>", "<|assistant|>", "<|end|>"],
        ["<|endoftext|>", "<|end|>"],
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}"
        "{% endfor %}" + OPEN + "{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        "<|end|>",
    ),
    "llama 3": (
        "<|eot|>",
        ["<|begin|>", "<|head|>", "<|/head|>", "<|text_end|>"],
        ["<|text_end|>", "<|eot|>"],
        "{{ '<|begin|>' }}{% for m in messages %}{{ '<|head|>' + m['role'] + '<|/head|>\n\n' + "
        "m['content'] | trim + '<|eot|>' }}{% endfor %}"
        + OPEN
        + "{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}",
        "<|eot|>",
    ),
    "qwen 3": (
        "<|im_end|>",
        ["<|im_start|>", "<|endoftext|>"],
        ["<|im_end|>", "<|endoftext|>"],
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + "
        "'<|im_end|>\n' }}{% endfor %}" + OPEN + "{{ '<|im_start|>assistant\n' }}{% endif %}",
        "<|im_end|>",
    ),
    "mistral": (
        "</s>",
        ["<s>", "[INST]", "[/INST]"],
        ["</s>"],
        "{{ '<s>' }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + "
        "m['content'] + ' [/INST]' }}{% else %}{{ ' ' + m['content'] + '</s>' }}{% endif %}"
        "{% endfor %}",
        "</s>",
    ),
}


def user(text):
    return Message(role="user", content=text)


def assistant(text):
    return Message(role="assistant", content=text)


def made(folder, shape):
    """A random Llama whose tokenizer and template have the shape of that family."""
    from transformers import PreTrainedTokenizerFast

    end, special, ends, template, _ = SHAPES[shape]
    plain = random_llama.make(folder / "plain")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(plain / "tokenizer.json"),
        eos_token=end,
        pad_token=end,
        additional_special_tokens=special,
    )
    tokenizer.chat_template = template
    random_llama.save(folder / "shaped", tokenizer, room=1024)
    (folder / "shaped" / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "shaped" / "config.json").read_text())
    config.pop("eos_token_id", None)
    (folder / "shaped" / "config.json").write_text(json.dumps(config))
    if ends:
        ids = [tokenizer.convert_tokens_to_ids(token) for token in ends]
        named = {"eos_token_id": ids, "pad_token_id": tokenizer.pad_token_id}
        (folder / "shaped" / "generation_config.json").write_text(json.dumps(named))
    return folder / "shaped"


def taught(folder, rows, steps=120):
    """The model in `folder` after full fine-tuning on `rows`, saved in its place."""
    import torch
    from transformers import AutoModelForCausalLM

    template = Template.load(folder)
    encoded = [template.encode(row, 256) for row in rows]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    torch.manual_seed(0)
    for _ in range(steps):
        for row in encoded:
            labels = [i if m else -100 for i, m in zip(row[0], row[1], strict=True)]
            ids = torch.tensor([row.input_ids])
            (model(input_ids=ids, labels=torch.tensor([labels])).loss / len(encoded)).backward()
        optimiser.step()
        optimiser.zero_grad()
    settings = folder / "generation_config.json"
    kept = settings.read_text() if settings.exists() else None
    model.save_pretrained(folder)
    settings.unlink(missing_ok=True)
    if kept:
        settings.write_text(kept)


def files_of(folder):
    model = Model(id="m", name="m", kind="base", source="folder", path=str(folder), created_at=0.0)
    return ModelFiles(model, folder, None)


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_hold_the_token_that_the_template_writes_after_an_answer(tmp_path, shape):
    template = Template.load(made(tmp_path, shape))
    end, _, ends, _, turn = SHAPES[shape]
    texts = {template.decode([i], skip_special_tokens=False) for i in template.ends}
    assert texts == {end, turn, *ends}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_answer_of_a_conversation_is_learned_up_to_its_end_of_turn(tmp_path, shape):
    template = Template.load(made(tmp_path, shape))
    turn = SHAPES[shape][4]
    chat = Chat(messages=(user("Hi"), assistant("Hello"), user("2+2?"), assistant("4")))
    learned = [piece.text for piece in template.pieces(chat, 512) if piece.trained]
    assert [text.strip() for text in learned] == [f"Hello{turn}", f"4{turn}"]
    ids, mask, *_ = template.encode(chat, 512)
    start = template.decode(ids[:1], skip_special_tokens=False)
    assert ids.count(ids[0]) == 1 or start not in ("<bos>", "<s>", "<|begin|>")  # no doubled BOS
    assert sum(mask) < len(mask)


@pytest.mark.parametrize("shape", ["gemma", "gemma, no generation_config", "phi-3"])
def test_tuned_model_stops_at_the_end_of_its_turn(tmp_path, shape):
    folder = made(tmp_path, shape)
    rows = [("hi ant", "hello"), ("hi bee", "good day"), ("bye cat", "so long")]
    taught(folder, [Chat(messages=(user(asked), assistant(said))) for asked, said in rows])
    answerer = Answerer(folder)
    assert batched_decoding.can(answerer._model)
    prompts = [[user(asked)] for asked, _ in rows]
    replies = answerer.answer(files_of(folder), prompts, max_new_tokens=24)
    assert [(reply.text, reply.finished) for reply in replies] == [(said, True) for _, said in rows]
    # transformers' own generate, the way of models that `decode` cannot follow, ends there too
    answerer._model.generation_config.no_repeat_ngram_size = 20
    assert not batched_decoding.can(answerer._model)
    slow = answerer.answer(files_of(folder), prompts, max_new_tokens=24)
    assert [(reply.text, reply.finished) for reply in slow] == [(said, True) for _, said in rows]


@pytest.mark.parametrize(
    "steering",
    [
        {"num_beams": 2},
        {"guidance_scale": 1.5},
        {"encoder_repetition_penalty": 1.2},
        {"stop_strings": ["zz"]},
    ],
)
def test_decode_leaves_models_with_other_ways_of_searching_to_generate(tiny_model, steering):
    answerer = Answerer(tiny_model)
    for name, value in steering.items():
        setattr(answerer._model.generation_config, name, value)
    assert not batched_decoding.can(answerer._model)
    replies = answerer.answer(files_of(tiny_model), [[user("a")], [user("b")]], max_new_tokens=4)
    assert all(reply.failed is None for reply in replies)
