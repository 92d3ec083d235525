"""Chat templates of the shapes of well-known families, written for a tokenizer of bytes."""

import json
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from engine.models.chat_template import Template


class Shape(NamedTuple):
    """`turn` ends an answer; `bos` is written by the template and added by the tokenizer too."""

    source: str
    special: tuple[str, ...]
    eos: str
    turn: str
    bos: str = ""
    takes_system: bool = True
    inserted: str = ""


OPEN = "{% if add_generation_prompt %}"
CHATML = "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}"
ALTERNATE = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user and assistant') }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
)
SHAPES = {
    "chatml": Shape(
        "{% for m in messages %}" + CHATML + "{% endfor %}" + OPEN
        + "{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ("<|im_start|>", "<|im_end|>"), "<|im_end|>", "<|im_end|>",
    ),
    "qwen 2.5": Shape(
        "{% if messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}"
        "{% for m in messages %}" + CHATML + "{% endfor %}" + OPEN
        + "{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ("<|im_start|>", "<|im_end|>", "<|endoftext|>"), "<|im_end|>", "<|im_end|>",
    ),
    "qwen 3": Shape(
        # reasoning of earlier answers is left out; the last one gets a block, empty or not
        "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m['role'] == 'user' %}"
        "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{% for m in messages %}{% if m['role'] != 'assistant' %}" + CHATML + "{% else %}"
        "{% set reason = '' %}{% set text = m['content'] %}{% if '</think>' in text %}"
        "{% set reason = text.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
        "{% set text = text.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
        "{{ '<|im_start|>assistant\\n' }}{% if loop.index0 > ns.last and (loop.last or reason) %}"
        "{{ '<think>\\n' + reason + '\\n</think>\\n\\n' }}{% endif %}{{ text + '<|im_end|>\\n' }}"
        "{% endif %}{% endfor %}" + OPEN + "{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ("<|im_start|>", "<|im_end|>", "<|endoftext|>"), "<|im_end|>", "<|im_end|>",
        inserted="<think>\n\n</think>\n\n",
    ),
    "llama 3": Shape(
        "{{ bos_token }}{% for m in messages %}{{ '<|head|>' + m['role'] + '<|/head|>\\n\\n' + "
        "m['content'] | trim + '<|eot|>' }}{% endfor %}" + OPEN
        + "{{ '<|head|>assistant<|/head|>\\n\\n' }}{% endif %}",
        ("<|begin|>", "<|head|>", "<|/head|>", "<|eot|>"), "<|eot|>", "<|eot|>", "<|begin|>",
    ),
    "mistral": Shape(
        NO_SYSTEM + ALTERNATE + "{{ bos_token }}{% for m in messages %}"
        "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
        "{{ ' ' + m['content'] + '</s>' }}{% endif %}{% endfor %}",
        ("<s>", "</s>", "[INST]", "[/INST]"), "</s>", "</s>", "<s>", takes_system=False,
    ),
    "gemma": Shape(
        NO_SYSTEM + ALTERNATE + "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + "
        "('model' if m['role'] == 'assistant' else m['role']) + '\\n' + m['content'] | trim + "
        "'<end_of_turn>\\n' }}{% endfor %}" + OPEN + "{{ '<start_of_turn>model\\n' }}{% endif %}",
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"), "<eos>", "<end_of_turn>", "<bos>",
        takes_system=False,
    ),
    "phi 3": Shape(
        # a system turn is passed over in silence
        "{{ bos_token }}{% for m in messages %}{% if m['role'] != 'system' %}{{ '<|' + m['role'] + "
        "'|>\\n' + m['content'] + '<|end|>\\n' }}{% endif %}{% endfor %}" + OPEN
        + "{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<s>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"), "<|endoftext|>",
        "<|end|>", "<s>", takes_system=False,
    ),
    "deepseek r1": Shape(
        # the prompt opens the reasoning, which every answered turn loses
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
        "{% elif m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{% else %}"
        "{{ '<|Assistant|>' + m['content'].split('</think>')[-1] + '<|end|>' }}{% endif %}"
        "{% endfor %}" + OPEN + "{{ '<|Assistant|><think>\\n' }}{% endif %}",
        ("<|begin|>", "<|User|>", "<|Assistant|>", "<|end|>"), "<|end|>", "<|end|>", "<|begin|>",
        inserted="\n</think>\n\n",
    ),
}  # fmt: skip


def write(folder: Path, name: str) -> Path:
    """The files that a template needs, of that shape, in `folder`."""
    shape = SHAPES[name]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={s: n for n, s in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(shape.special))
    if shape.bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{shape.bos} $A",
            special_tokens=[(shape.bos, tokenizer.token_to_id(shape.bos))],
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"eos_token": shape.eos, "bos_token": shape.bos or None}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    (folder / "chat_template.jinja").write_text(shape.source, encoding="utf-8")
    return folder


def template(folder: Path, name: str) -> Template:
    """The template of that shape."""
    return Template.load(write(folder, name))
