"""GGUF, as llama.cpp, Ollama and LM Studio read it; the converter runs in a process of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from engine.core.errors import UserError
from engine.exporters import converter
from engine.exporters.source import Source, run, save_merged

TITLE = "GGUF"
SUMMARY = "One file for llama.cpp, Ollama and LM Studio."
RUNTIME = "llama.cpp"
FILE = "model.{quantisation}.gguf"
CONVERT_TIMEOUT_S = 3600


def export(source: Source, out: Path) -> None:
    """One GGUF file with the model's tokenizer and chat template inside."""
    folder = converter.ensure(source.tools, source.say)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        merged = Path(scratch) / "model"
        save_merged(source, merged, "float32")
        source.say("The weights are being converted to GGUF.")
        _convert(folder, merged, out / FILE.format(quantisation=source.quantisation), source)


def _convert(folder: Path, merged: Path, file: Path, source: Source) -> None:
    command = [sys.executable, str(folder / converter.SCRIPT), str(merged)]
    command += ["--outtype", source.quantisation.lower(), "--outfile", str(file)]
    command += ["--model-name", source.files.model.name]
    try:
        done = run(
            command,
            cwd=merged.parent,
            python_path=folder,
            alive=source.alive,
            limit_s=CONVERT_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise UserError("The conversion to GGUF took over an hour.", "Use a faster disk.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
        raise UserError(
            f"llama.cpp's converter cannot convert {source.files.model.name}: {last}.",
            "Export it as merged; that works for every model.",
        )
