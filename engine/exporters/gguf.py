"""GGUF, as llama.cpp, Ollama and LM Studio read it; the converter runs in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core import extras
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.exporters.declared import PROGRAMS, Runtime
from engine.exporters.fetched_programs import CONVERTER
from engine.exporters.source import Source, run, save_merged
from engine.models import folder
from engine.models.chat_template import Template

TITLE = "GGUF"
SUMMARY = "One file for llama.cpp, Ollama and LM Studio."
OPTIONS = ("quantisation",)
LIBRARY_NAME = "gguf"
RUNTIME = Runtime(
    "llama.cpp",
    PROGRAMS / "with_llama_cpp.py",
    module="xllamacpp",
    extra="gguf",
)
FILE = "model.{quantisation}.gguf"
QUANTISER = PROGRAMS / "quantise.py"
MOST_S = 3600
K_QUANTS = ("Q4_K_M",)  # which the converter does not write


def check(fields: Mapping[str, Any]) -> None:
    """UserError where the weights can't be rounded here."""
    if fields["quantisation"] in K_QUANTS:
        extras.require(RUNTIME.module, RUNTIME.extra, fields["quantisation"], "choose Q8_0")


def export(source: Source, out: Path) -> None:
    """One GGUF file with the model's tokenizer and chat template inside."""
    converter = CONVERTER.ensure(source.tools, source.say)
    file = out / FILE.format(quantisation=source.quantisation)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        merged, half = Path(scratch) / "model", Path(scratch) / "half.gguf"
        save_merged(source, merged, "float32")
        _keep_start(source.files.base, merged)
        source.say("The weights are being converted to GGUF.")
        if source.quantisation in K_QUANTS:
            _convert(converter, merged, half, "f16", source)
            source.say("The weights are being rounded to about 4 bits.")
            _quantise(half, file, source)
        else:
            _convert(converter, merged, file, source.quantisation.lower(), source)


def _keep_start(base: Path, merged: Path) -> None:
    """No start token where the template writes none: llama.cpp may add one by itself otherwise."""
    start = folder.read(base).tokens.get("bos_token", "")
    asked = Template.load(base).prompt_text([Message(role="user", content="a")])
    if start and not asked.startswith(start):
        path = merged / "tokenizer_config.json"
        settings = json.loads(path.read_text(encoding="utf-8")) | {"add_bos_token": False}
        path.write_text(json.dumps(settings), encoding="utf-8")


def _convert(converter: Path, merged: Path, file: Path, kind: str, source: Source) -> None:
    command = [sys.executable, str(converter / CONVERTER.marker), str(merged)]
    command += ["--outtype", kind, "--outfile", str(file)]
    command += [f"--model-name={source.files.model.name}"]
    last = _last_line(command, merged.parent, converter, source)
    if last is not None:
        raise UserError(
            f"llama.cpp's converter cannot convert {source.files.model.name}: {last}.",
            "Export it as merged; that works for every model.",
        )


def _quantise(half: Path, file: Path, source: Source) -> None:
    last = _last_line([sys.executable, str(QUANTISER), str(half), str(file)], half.parent, None,
                      source)  # fmt: skip
    if last is not None:
        raise UserError(
            f"{source.files.model.name} cannot be written as {source.quantisation}: {last}.",
            f"Install xllamacpp ({extras.install_command(RUNTIME.extra)}), or export it as Q8_0.",
        )


def _last_line(
    command: Sequence[str], cwd: Path, python_path: Path | None, source: Source
) -> str | None:
    """The last line of a program that failed; None where it did its work."""
    try:
        done = run(command, cwd=cwd, python_path=python_path, alive=source.alive, limit_s=MOST_S)
    except subprocess.TimeoutExpired:
        raise UserError("The conversion to GGUF took over an hour.", "Use a faster disk.") from None
    if not done.returncode:
        return None
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
