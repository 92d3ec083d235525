"""A GGUF file as a folder that trainers can read.

    python -m engine.models.gguf_to_folder FOLDER FILE OUT

Runs in a process of its own: it needs gigabytes of memory once, and the caller has no torch.
"""

import sys
from pathlib import Path
from typing import Any

QUESTION = "What is the capital of France?"
EXPECTED = "Paris"


def convert(folder: Path, file: str, out: Path) -> str:
    """Write `folder/file` to `out` as float32 safetensors; the saved model's answer to QUESTION."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    # the weights are whole by now; these two marks alone would stop save_pretrained
    model.hf_quantizer = None
    del model.config.quantization_config
    tokenizer.pad_token = tokenizer.eos_token
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return _answer(out)


def _answer(folder: Path) -> str:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    answer = model.generate(**asked, max_new_tokens=16, do_sample=False)
    return str(tokenizer.decode(answer[0][asked["input_ids"].shape[1] :], skip_special_tokens=True))


def main() -> None:
    """Exit code 1 unless the converted model knows the capital of France."""
    answer = convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    if EXPECTED not in answer:
        sys.exit(f"the converted model answers {QUESTION!r} with {answer!r}")


if __name__ == "__main__":
    main()
