"""Chat templates for bases that have none: each a shape that people know, with what it asks for."""

from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Tokenizer

from engine.core.errors import UserError

OPEN = "{% if add_generation_prompt %}"
START = "{{ bos_token | default('', true) }}"


class ChatTemplate(NamedTuple):
    """`marks` are the tokens that the tokenizer must know, each as one token."""

    name: str
    title: str
    summary: str
    marks: tuple[str, ...]
    source: str


KNOWN = (
    ChatTemplate(
        "plain", "Plain text",
        "Roles as words, each answer ends with the model's own end token. Any base can read it.",
        (),
        START + "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + '\\n\\n' }}"
        "{% elif m['role'] == 'assistant' %}{{ 'Answer: ' + m['content'] + eos_token + '\\n\\n' }}"
        "{% else %}{{ 'Question: ' + m['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
        + OPEN + "{{ 'Answer: ' }}{% endif %}",
    ),
    ChatTemplate(
        "chatml", "ChatML", "The form of Qwen, SmolLM2 and many others.",
        ("<|im_start|>", "<|im_end|>"),
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + "
        "'<|im_end|>\\n' }}{% endfor %}" + OPEN + "{{ '<|im_start|>assistant\\n' }}{% endif %}",
    ),
    ChatTemplate(
        "llama3", "Llama 3", "The form of Llama 3 and its descendants.",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        START + "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + "
        "'<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        + OPEN + "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    ),
    ChatTemplate(
        "mistral", "Mistral", "The form of Mistral; system texts stand in the first question.",
        ("[INST]", "[/INST]"),
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        + START + "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ ' ' + m['content'] + "
        "eos_token }}{% else %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% endif %}{% endfor %}",
    ),
    ChatTemplate(
        "gemma", "Gemma", "The form of Gemma; system texts stand in the first question.",
        ("<start_of_turn>", "<end_of_turn>"),
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        + START + "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m['role'] == "
        "'assistant' else 'user') + '\\n' + m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
        + OPEN + "{{ '<start_of_turn>model\\n' }}{% endif %}",
    ),
    ChatTemplate(
        "phi3", "Phi 3", "The form of Phi 3.",
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        START + "{% for m in messages %}{{ '<|' + (m['role'] if m['role'] != 'tool' else 'user') + "
        "'|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
        + OPEN + "{{ '<|assistant|>\\n' }}{% endif %}",
    ),
)  # fmt: skip


def fitting(tokenizer: str) -> Sequence[ChatTemplate]:
    """Those whose marks this tokenizer.json knows as tokens; plain text always."""
    try:
        vocabulary = Tokenizer.from_str(tokenizer)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError("The model's tokenizer.json is broken.", "Choose another model.") from None
    return [
        one for one in KNOWN if all(vocabulary.token_to_id(mark) is not None for mark in one.marks)
    ]
