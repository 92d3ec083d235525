"""A folder that Cog builds into an image and its server serves: what Replicate runs."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from engine.exporters.declared import PROGRAMS, Runtime
from engine.exporters.fetched_programs import COG
from engine.exporters.source import Source, save_merged

TITLE = "Cog, Replicate"
SUMMARY = "A folder for `cog build` and `cog push`: the merged model and a program that answers."
OPTIONS = ("precision",)
RUNTIME = Runtime("cog", PROGRAMS / "with_cog.py", fetched=COG)
MODEL = "model"
RUNNER = "run.py"
PROGRAM = PROGRAMS / "cog_runner.py"
LIBRARIES = ("torch", "transformers", "safetensors")


def export(source: Source, out: Path) -> None:
    """The merged model, the program that serves it, and what Cog has to install for it."""
    save_merged(source, out / MODEL, source.precision)
    shutil.copyfile(PROGRAM, out / RUNNER)
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in LIBRARIES]
    (out / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    # JSON is YAML too
    text = json.dumps(_settings(), indent=2) + "\n"
    (out / "cog.yaml").write_text(text, encoding="utf-8")


def _settings() -> dict[str, object]:
    major, minor, *_ = sys.version_info
    return {
        "build": {
            "gpu": True,
            "python_version": f"{major}.{minor}",
            "python_requirements": "requirements.txt",
        },
        "run": f"{RUNNER}:Runner",
    }
