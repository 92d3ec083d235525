"""Answer greedily with plain transformers, and PEFT where the folder holds an adapter."""

import json
import sys
from pathlib import Path
from typing import Any


def load(folder: Path, base: str) -> tuple[Any, Any]:
    """The model and the tokenizer of an exported folder, as its README says to load them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    is_adapter = (folder / "adapter_config.json").is_file()
    whole = base if is_adapter else str(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(
        whole, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    if is_adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(folder))
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def answers(folder: Path, asked: dict[str, Any]) -> None:
    """Print one answer a line, as soon as it is written."""
    import torch

    model, tokenizer = load(folder, asked["base"])
    room = int(model.config.get_text_config().max_position_embeddings)
    ends = model.generation_config.eos_token_id
    stops = set(ends if isinstance(ends, list) else [ends])
    for messages in asked["questions"]:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        truncated = ids.shape[1] + asked["max_new_tokens"] > room
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                max_new_tokens=asked["max_new_tokens"],
                pad_token_id=tokenizer.pad_token_id,
            )
        new = out[0][ids.shape[1] :].tolist()
        answer = {
            "prompt_text": text,
            "prompt_ids": ids[0].tolist(),
            "text": tokenizer.decode(new, skip_special_tokens=True),
            "finished": bool(new) and new[-1] in stops,
            "truncated": truncated,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    answers(Path(sys.argv[1]), json.load(sys.stdin))
