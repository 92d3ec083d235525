"""An adapter without a training, for tests of what answers."""

from pathlib import Path


def adapter(base: Path, folder: Path, seed: int) -> Path:
    """A random adapter that changes the answers of the base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lora = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", lora_alpha=64,
                          init_lora_weights=False)  # fmt: skip
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(folder)
    return folder
