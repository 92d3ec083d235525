"""What vLLM serves: the adapter over its base, or the merged model, and the command to start it."""

import json
import shlex
from pathlib import Path

from engine.exporters import adapter, merged
from engine.exporters.source import Source

TITLE = "vLLM"
SUMMARY = "A folder and the command that serves it with vLLM (an NVIDIA or AMD card is needed)."
RUNTIME = merged.RUNTIME
SCRIPT = "serve.sh"


def export(source: Source, out: Path) -> None:
    """The adapter or the merged model, and `serve.sh`, to be run inside the folder."""
    is_adapter = source.files.adapter is not None
    (adapter if is_adapter else merged).export(source, out)
    command = _over_base(source, out) if is_adapter else _whole(source)
    (out / SCRIPT).write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n", encoding="utf-8")


def _whole(source: Source) -> list[str]:
    return ["vllm", "serve", ".", f"--served-model-name={source.files.model.name}"]


def _over_base(source: Source, out: Path) -> list[str]:
    """VLLM refuses a rank above its limit, and takes the template of the base unless told.

    A value stands behind its option's `=`, so that one that begins with `-` is no option itself.
    """
    settings = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    rank = max([int(settings["r"]), *map(int, (settings.get("rank_pattern") or {}).values())])
    command = ["vllm", "serve", _argument(source.base), "--enable-lora"]
    command += [f"--lora-modules={_module(source.files.model.name)}"]
    command += [f"--max-lora-rank={_room(rank)}"]
    command += [f"--revision={source.revision}"] if source.revision else []
    template = out / "chat_template.jinja"
    return [*command, "--chat-template=chat_template.jinja"] if template.is_file() else command


def _module(name: str) -> str:
    """The adapter of this folder by its name; as JSON where the name has a mark of vLLM's own."""
    plain = not set(name) & set("=,{")
    return f"{name}=." if plain else json.dumps({"name": name, "path": "."})


def _argument(place: str) -> str:
    return f"./{place}" if place.startswith("-") else place


def _room(rank: int) -> int:
    """The smallest limit that vLLM knows and that holds `rank`."""
    return next((room for room in (8, 16, 32, 64, 128, 256, 320, 512) if room >= rank), rank)
