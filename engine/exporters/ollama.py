"""A GGUF file and the Modelfile that lets Ollama ask it as it was trained."""

import json
from pathlib import Path

from engine.core.errors import UserError
from engine.exporters import gguf
from engine.exporters.go_template import GoTemplate
from engine.exporters.source import Source
from engine.models import folder
from engine.models.chat_template import Template

TITLE = "Ollama"
SUMMARY = "A GGUF file and its Modelfile: `ollama create NAME -f Modelfile`."
OPTIONS = gguf.OPTIONS
LIBRARY_NAME = gguf.LIBRARY_NAME
RUNTIME = gguf.RUNTIME
check = gguf.check
QUOTES = '"""'


def export(source: Source, out: Path) -> None:
    """The GGUF file and a Modelfile with the exact template, system prompt and end tokens."""
    text = modelfile(source)  # first: it may say that this template can't be written
    gguf.export(source, out)
    (out / "Modelfile").write_text(text, encoding="utf-8")


def modelfile(source: Source) -> str:
    """The Modelfile; UserError where the chat template has no equal in Ollama's language."""
    base = source.files.base
    template = Template.load(base)
    written = GoTemplate.of(template)
    system = template.default_system()
    text = written.text.removeprefix(_added_start(base))
    if QUOTES in text or QUOTES in system:
        raise UserError(
            "The chat template holds three quotes in a row, which a Modelfile cannot.",
            "Export it as GGUF: that file carries the template itself.",
        )
    lines = [f"FROM ./{gguf.FILE.format(quantisation=source.quantisation)}"]
    lines.append(f"TEMPLATE {QUOTES}{text}{QUOTES}")
    lines += [f"SYSTEM {QUOTES}{system}{QUOTES}"] if system else []
    for end in sorted(template.ends):
        stop = template.decode([end], skip_special_tokens=False)
        lines.append(f"PARAMETER stop {json.dumps(stop, ensure_ascii=False)}")
    room = _room(base)
    lines += [f"PARAMETER num_ctx {room}"] if room else []
    # Ollama's own defaults sample and punish repetition; every score here is of greedy answers
    lines += ["PARAMETER temperature 0", "PARAMETER repeat_penalty 1"]
    return "\n".join(lines) + "\n"


def _added_start(base: Path) -> str:
    """The start token that llama.cpp adds by itself, which the template must not write again."""
    config = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
    return folder.read(base).tokens.get("bos_token", "") if config.get("add_bos_token") else ""


def _room(base: Path) -> int | None:
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    room = config.get("text_config", config).get("max_position_embeddings")
    return room if isinstance(room, int) else None
