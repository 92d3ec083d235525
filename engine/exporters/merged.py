"""The whole model in one folder: what transformers, vLLM, llama.cpp's converter and others read."""

from pathlib import Path

from engine.exporters.declared import PROGRAMS, Runtime
from engine.exporters.source import Source, save_merged

TITLE = "Merged model (safetensors)"
SUMMARY = "All weights in one folder for transformers, vLLM, TGI and most other programs."
OPTIONS = ("precision",)
LIBRARY_NAME = "transformers"
RUNTIME = Runtime("transformers", PROGRAMS / "with_transformers.py")


def export(source: Source, out: Path) -> None:
    """The base with the adapter merged into it, in the precision asked for."""
    save_merged(source, out, source.precision)
