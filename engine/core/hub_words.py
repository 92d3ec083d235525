"""What is known of a base on the Hub, in words: for the command line and the page alike."""

from engine.core.hub import (
    SPARE_BYTES,
    Architecture,
    CatalogEntry,
    HubBase,
    HubGate,
    Obstacle,
    TuningFit,
)
from engine.core.units import memory_words, number_words

ESTIMATE = "Memory is estimated for supervised fine-tuning with the default settings."
TITLES = {"lora": "LoRA", "qlora": "QLoRA", "full": "Full fine-tuning"}


def facts(base: HubBase) -> list[tuple[str, str]]:
    """A label and a value for each fact, in the order in which they matter."""
    return [
        ("Model", base.name),
        ("Commit", base.revision[:12]),
        ("Parameters", number_words(base.parameters) if base.parameters else "not named"),
        ("Download", f"{memory_words(base.bytes)} in {len(base.files)} files"),
        ("Licence", base.licence or "not named"),
        ("Access", access(base)),
        ("Architecture", architecture(base)),
        ("Chat template", chat_template(base)),
        ("Context", f"{base.context:,} tokens" if base.context else "not named"),
        *((TITLES[one.tuning], tuning(one)) for one in base.tuning),
    ]


def unchecked(one: CatalogEntry) -> str:
    """Which facts of an entry of the list are from memory; empty where all were checked."""
    if not one.unchecked:
        return ""
    return f"Not checked: {' and '.join(one.unchecked)}"


def obstacles(base: HubBase) -> list[tuple[str, str]]:
    """Each reason why it cannot be added, and what to do."""
    return [obstacle(base, one) for one in base.obstacles]


def access(base: HubBase) -> str:
    """Who may read the files."""
    if base.gate is HubGate.OPEN:
        return "open to everybody"
    if base.gate is HubGate.GRANTED:
        return "gated; this server's token may read it"
    return "gated; not readable from here"


def architecture(base: HubBase) -> str:
    """Whether the installed library runs the model with code of its own."""
    named = base.model_type or "not named"
    return {
        Architecture.KNOWN: f"{named}, part of transformers; no code of the model is run",
        Architecture.OTHER_TASK: f"{named}, which does not write text",
        Architecture.REMOTE_CODE: f"{named}, which needs code that the model brings",
        Architecture.UNKNOWN: f"{named}, which the installed transformers does not know",
        Architecture.UNREAD: "not readable before access is granted",
    }[base.architecture]


def chat_template(base: HubBase) -> str:
    """Whether it can hold a conversation as it is."""
    if base.chat_template is None:
        return "not readable before access is granted"
    return "present" if base.chat_template else "none: it continues text, and knows no turns"


def tuning(one: TuningFit) -> str:
    """Whether a training fits this machine, with the memory it takes."""
    needs = f"about {memory_words(one.memory_needed)} of {memory_words(one.memory_usable)} memory"
    return {
        "fits": f"fits this machine: {needs}",
        "tight": f"fits barely: {needs}",
        "with_changes": f"fits with smaller settings ({one.changes}); the default takes {needs}",
        "impossible": f"does not fit this machine: {needs}",
        "unavailable": f"not available: {one.reason}",
    }[one.verdict]


def gate(base: HubBase) -> tuple[str, str]:
    """What a gate means, and what to do; two empty texts where the files may be read."""
    terms, sign_in = base.terms_url, "set HF_TOKEN, or run hf auth login, where Tuneloop runs"
    return {
        HubGate.OPEN: ("", ""),
        HubGate.GRANTED: ("", ""),
        HubGate.NO_TOKEN: (
            f"{base.name} is gated, and this server has no token.",
            f"Accept the terms at {terms}, then {sign_in}.",
        ),
        HubGate.BAD_TOKEN: (
            f"The Hub does not accept this server's token, which {base.name} needs.",
            f"Make a new token, then {sign_in}.",
        ),
        HubGate.TOKEN_SCOPE: (
            f"This server's token may not read gated models, and {base.name} is one.",
            "Allow access to public gated repositories in the settings of the token.",
        ),
        HubGate.TERMS: (
            f"The account of this server's token has not accepted the terms of {base.name}.",
            f"Accept the terms at {terms} with that account.",
        ),
        HubGate.WAITING: (
            f"The makers of {base.name} have not answered the request for access yet.",
            f"Wait for their answer; {terms} shows how it stands.",
        ),
    }[base.gate]


def obstacle(base: HubBase, one: Obstacle) -> tuple[str, str]:
    """Why `base` cannot be added, and what to do."""
    name = base.name
    return {
        Obstacle.GATE: gate(base),
        Obstacle.NO_CONFIG: (
            f"{name} has no config.json: it is an adapter or a file of another program.",
            "Choose the whole model that it was made from.",
        ),
        Obstacle.NO_SAFETENSORS: (
            f"{name} holds no weights in the safetensors format.",
            "Choose another model; other formats can run foreign code.",
        ),
        Obstacle.NO_TOKENIZER: (
            f"{name} has no tokenizer.json.",
            "Choose a model with a fast tokenizer, or convert it and add its folder.",
        ),
        Obstacle.REMOTE_CODE: (
            f"{name} needs Python code of its own, which Tuneloop never runs.",
            "Choose a model whose architecture is part of transformers.",
        ),
        Obstacle.UNKNOWN_ARCHITECTURE: (
            f"The installed transformers does not know the architecture of {name}"
            f" ({base.model_type or 'not named'}).",
            "Update transformers, or choose another model.",
        ),
        Obstacle.OTHER_TASK: (
            f"{name} is not a model that writes text ({base.model_type or 'not named'}).",
            "Choose a model for text generation.",
        ),
        Obstacle.QUANTISED: (
            f"The weights of {name} are quantised, and such weights cannot be trained on here.",
            "Choose the model in 16 or 32 bits; QLoRA quantises it by itself.",
        ),
        Obstacle.NO_ROOM: (
            f"{name} takes {memory_words(base.bytes)} and leaves {memory_words(SPARE_BYTES)}"
            f" for everything else; the disk has {memory_words(base.bytes_free or 0)} free.",
            "Free some space, or choose a smaller model.",
        ),
    }[one]
